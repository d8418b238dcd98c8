"""Weights of the tasks, without a training."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import config_files
from monai.bundle import ConfigParser


@pytest.fixture
def weights_of(load_scripts, tmp_path) -> Callable[[str], Path]:
    """`weights_of("Task09_Spleen")`: a file of the demo's network with that task's note."""
    scripts = load_scripts("msd_tasks")
    weights = importlib.import_module(f"{scripts.__name__}.common.weights")

    def save(task: str) -> Path:
        files = config_files("msd_tasks", "inference", f"tasks/{task}", "demo")
        parser = ConfigParser(ConfigParser.load_config_files(files))
        network = parser.get_parsed_content("network_def")
        weights.attach_metadata(network, parser.get_parsed_content("trained_with"))
        torch.save(network.state_dict(), tmp_path / f"{task}.pt")
        return tmp_path / f"{task}.pt"

    return save
