"""Checkpoints of trainings that MONAI Label starts: those of the last one stay."""

import sys
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import pytest
from helpers import write_json

from common.training import run_folder


def new_run(output_dir: Path, by: str = "") -> str:
    """Name of the folder of a new run from Python, with a checkpoint; `by` has been imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/x/server.py"])
        if by:
            patch.setitem(sys.modules, by, ModuleType(by))
        folder = Path(run_folder.open_run_folder(str(output_dir), "auto"))
    (folder / "checkpoints").mkdir()
    return folder.name


def test_monai_label_keeps_the_checkpoints_of_its_last_training_alone(tmp_path, monkeypatch):
    config = write_json(tmp_path / "train.json", {"epochs": 5})
    command = ["/x/monai/bundle/__main__.py", "run", "--config_file", config]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", command)
        run_folder.open_run_folder(str(tmp_path / "a"), "auto")
    (tmp_path / "a/checkpoints").mkdir()
    assert new_run(tmp_path / "a") == "a-2"  # somebody's own Python
    names = [new_run(tmp_path / "a", by="monailabel") for _ in range(3)]
    assert names == ["a-3", "a-4", "a-5"]
    kept = [path.parent.name for path in sorted(tmp_path.glob("*/checkpoints"))]
    assert kept == ["a", "a-2", "a-5"]
    assert new_run(tmp_path / "a") == "a-6" and (tmp_path / "a-5/checkpoints").is_dir()
    assert all((tmp_path / f"a-{n}/config.json").is_file() for n in range(2, 7))


def test_monai_label_keeps_the_checkpoints_of_a_run_in_another_process(tmp_path):
    assert new_run(tmp_path / "a", by="monailabel") == "a"
    with get_context("fork").Pool(1) as other:
        assert other.apply(new_run, (tmp_path / "a", "monailabel")) == "a-2"
    assert (tmp_path / "a/checkpoints").is_dir() and (tmp_path / "a-2/checkpoints").is_dir()
    new_run(tmp_path / "a", by="monailabel")  # the other process has ended
    assert not (tmp_path / "a-2/checkpoints").exists()
