"""Weights of the tasks without a training, an independent Dice and NSD, checks of an archive."""

import importlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import surface_distance
import torch
from helpers import BUNDLES, config_files
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


@pytest.fixture
def check_archive(tmp_path) -> Callable[[Path, Path, list[str]], None]:
    """`check_archive(zip, data, tasks)`: labels of each test image of the tasks, and no more."""

    def check(path: Path, data: Path, tasks: list[str]) -> None:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            archive.extractall(tmp_path / "unpacked")
        images = {
            f"{task}/{p.name}": p for task in tasks for p in (data / task / "imagesTs").iterdir()
        }
        assert sorted(names) == sorted(images)
        for name, image in images.items():
            task = BUNDLES / f"msd_tasks/configs/tasks/{Path(name).parent}.json"
            labels, expected = nib.load(tmp_path / "unpacked" / name), nib.load(image)
            assert labels.shape == expected.shape[:3] and labels.get_data_dtype() == np.uint8
            assert np.allclose(labels.affine, expected.affine, atol=1e-3)
            numbers = {*map(int, json.loads(task.read_text())["labels"])}
            assert {*np.unique(labels.dataobj).tolist()} <= numbers

    return check


@pytest.fixture
def library_figures(monkeypatch) -> Callable[..., tuple[float, float]]:
    """`library_figures(prediction, reference, spacing_mm, tolerance_mm)`: DeepMind's Dice and NSD.

    Masks are (X, Y, Z) bool and may be empty.
    """
    # names of NumPy 1, which the library needs where a mask is empty
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    monkeypatch.setattr(np, "NaN", np.nan, raising=False)

    def figures(prediction, reference, spacing_mm, tolerance_mm) -> tuple[float, float]:
        distances = surface_distance.compute_surface_distances(reference, prediction, spacing_mm)
        with np.errstate(invalid="ignore"):  # two empty masks: 0 / 0
            nsd = surface_distance.compute_surface_dice_at_tolerance(distances, tolerance_mm)
        return float(surface_distance.compute_dice_coefficient(reference, prediction)), float(nsd)

    return figures
