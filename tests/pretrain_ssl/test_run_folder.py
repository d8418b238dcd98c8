"""The folder of a run, and files that are never half-written."""

import json
import sys
from pathlib import Path

import pytest
import torch
from helpers import write_json


@pytest.fixture
def run_folder(scripts):
    return scripts.run_folder


def weight(path: Path) -> float:
    content = torch.load(path, weights_only=True)
    return content.get("network", content)["weight"].item()


def test_first_run_takes_the_folder_itself(run_folder, tmp_path):
    assert run_folder.new_run_folder(str(tmp_path / "runs/a")) == str(tmp_path / "runs/a")


def test_empty_folder_is_taken(run_folder, tmp_path):
    assert run_folder.new_run_folder(str(tmp_path)) == str(tmp_path)


def test_later_runs_are_numbered_and_nothing_is_overwritten(run_folder, tmp_path):
    output_dir = str(tmp_path / "a")
    first = Path(run_folder.new_run_folder(output_dir))
    (first / "config.json").write_text("mine")
    later = [run_folder.new_run_folder(output_dir) for _ in range(2)]
    assert later == [f"{output_dir}-2", f"{output_dir}-3"]
    assert (first / "config.json").read_text() == "mine"


def test_other_ranks_write_nothing(run_folder, tmp_path):
    assert run_folder.new_run_folder(str(tmp_path / "a"), is_main=False) == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_run_keeps_its_configuration_and_flags(run_folder, tmp_path, monkeypatch):
    config = write_json(tmp_path / "train.json", {"epochs": 5})
    arguments = ["run", "--config_file", config, "--epochs", "7"]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", *arguments])
    folder = run_folder.new_run_folder(str(tmp_path / "a"))
    kept = json.loads((Path(folder) / "config.json").read_text())
    assert kept == {"config": {"epochs": 5}, "flags": {"config_file": config, "epochs": 7}}


def test_run_from_python_has_no_flags(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest", "x", "--secret", "1"])
    folder = run_folder.new_run_folder(str(tmp_path / "a"))
    assert json.loads((Path(folder) / "config.json").read_text()) == {"config": {}, "flags": {}}


def test_replacing_makes_folders_and_leaves_one_file(run_folder, tmp_path):
    with run_folder.replacing(tmp_path / "new/a.txt") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert not (tmp_path / "new/a.txt").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new/a.txt").read_text() == "new"


def test_failed_replacing_leaves_the_old_file_alone(run_folder, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), run_folder.replacing(path) as temporary:
        temporary.write_text("part")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_saving_leaves_the_old_weights(run_folder, tmp_path):
    path = tmp_path / "model.pt"
    run_folder.save_atomically({"weight": torch.ones(2)}, path)
    with pytest.raises(Exception, match="pickle"):
        run_folder.save_atomically({"weight": torch.zeros(2), "bad": lambda: 0}, path)
    assert torch.equal(torch.load(path)["weight"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]
