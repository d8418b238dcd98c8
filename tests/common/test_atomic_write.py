"""Files that are never half-written."""

import pytest
import torch

from common import atomic_write


def test_replacing_makes_folders_and_leaves_one_file(tmp_path):
    with atomic_write.replacing(tmp_path / "new/a.txt") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert not (tmp_path / "new/a.txt").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new/a.txt").read_text() == "new"


def test_failed_replacing_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write.replacing(path) as temporary:
        temporary.write_text("part")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_saving_leaves_the_old_weights(tmp_path):
    path = tmp_path / "model.pt"
    atomic_write.save_atomically({"weight": torch.ones(2)}, path)
    with pytest.raises(Exception, match="pickle"):
        atomic_write.save_atomically({"weight": torch.zeros(2), "bad": lambda: 0}, path)
    assert torch.equal(torch.load(path)["weight"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]
