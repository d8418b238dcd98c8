"""Files that are never half-written."""

import resource
import signal
from contextlib import nullcontext

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


@pytest.mark.parametrize("is_there", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path, is_there):
    target, link = tmp_path / "disk/object", tmp_path / "models/model.pt"
    for path in (target, link):
        path.parent.mkdir()
    if is_there:
        target.write_text("old")
    link.symlink_to("../disk/object")
    with atomic_write.replacing(link) as temporary:
        assert temporary.parent == target.parent  # of the same disk
        assert temporary.name.endswith("_model.pt")
        temporary.write_text("new")
    assert link.is_symlink() and target.read_text() == link.read_text() == "new"
    assert [*link.parent.iterdir(), *target.parent.iterdir()] == [link, target]


def test_the_folder_that_a_link_leads_to_is_tried(tmp_path, refusal):
    (tmp_path / "model.pt").symlink_to("/proc/here/model.pt")
    with refusal("model.pt cannot be written .*; give another place"):
        atomic_write.check_writable(files=[tmp_path / "model.pt"])


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
    with pytest.raises(Exception, match="model.pt cannot be written|pickle"):
        atomic_write.save_atomically({"weight": torch.zeros(2), "bad": lambda: 0}, path)
    assert torch.equal(torch.load(path)["weight"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["models", "models/model.pt", "models/model.pt/a/b.pt"])
def test_a_target_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path, refusal, name):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/model.pt").write_text("weights")
    for options in ({"files": [tmp_path / name]}, {"folders": [tmp_path / name]}):
        is_right = options == {"folders": [tmp_path / "models"]} or (
            options == {"files": [tmp_path / "models/model.pt"]}
        )
        with nullcontext() if is_right else refusal(f"{name} cannot be written .*; give another"):
            atomic_write.check_writable(**options)
    assert [path.name for path in tmp_path.rglob("*")] == ["models", "model.pt"]
    assert (tmp_path / "models/model.pt").read_text() == "weights"


def test_trying_makes_no_folder(tmp_path):
    atomic_write.check_writable(files=[tmp_path / "a/b/c.pt"], folders=[tmp_path / "d/e"])
    assert not list(tmp_path.iterdir())


def test_a_folder_of_the_system_cannot_be_written(refusal):
    with refusal("/proc/here cannot be written .*; give another place"):
        atomic_write.check_writable(folders=["/proc/here"])


def test_a_file_that_cannot_be_written_is_one_sentence_and_the_old_one_stays(tmp_path, refusal):
    path = tmp_path / "a/model.pt"
    atomic_write.save_atomically({"weight": torch.ones(2)}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead of killing
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with refusal("model.pt cannot be written .File too large.; make room for it"):
            atomic_write.save_atomically({"weight": torch.zeros(9999)}, path)
        with refusal("model.pt cannot be written .File too large.; make room for it"):
            atomic_write.write_text(path, "0" * 9999)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert torch.equal(torch.load(path)["weight"], torch.ones(2))
    assert list(path.parent.iterdir()) == [path]
