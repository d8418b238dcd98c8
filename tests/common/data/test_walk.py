"""Each real file is listed once, by its shortest way without links."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.data import walk

LONGEST_S = 20  # of a walk: one that follows loops, or leaves the folder, takes hours


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Fails a test whose walk does not end."""

    def stop(*_) -> None:
        raise TimeoutError(f"the walk takes more than {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(root: Path) -> list[str]:
    folders = walk.list_folders(root)
    return [os.path.join(folder.path, name) for folder in folders for name in folder.files]


def left_out(root: Path) -> dict[str, tuple[str, str]]:
    folders = walk.list_folders(root)
    return {
        os.path.join(folder.path, name): (kind, detail)
        for folder in folders
        for name, kind, detail in folder.left_out
    }


def test_a_loop_to_the_root_or_around_it_adds_no_names(tmp_path):
    root = tmp_path / "archive"
    touch(root, "nifti/x.nii.gz", "b.nii")
    touch(tmp_path, "beside/y.nii")
    (root / "a_loop").symlink_to(root)
    (root / "nifti/up").symlink_to("..")
    (root / "around").symlink_to("..")
    (root / "everything").symlink_to("/")
    assert listed(root) == ["b.nii", "nifti/x.nii.gz"]
    assert left_out(root) == {
        "around": (walk.AROUND, ""),
        "everything": (walk.AROUND, ""),
    }


def test_the_way_without_links_names_a_file_though_it_is_longer(tmp_path):
    touch(tmp_path, "z/long/way/x.nii.gz")
    (tmp_path / "a").symlink_to("z/long/way")
    (tmp_path / "x.nii.gz").symlink_to("z/long/way/x.nii.gz")
    assert listed(tmp_path) == ["z/long/way/x.nii.gz"]
    assert left_out(tmp_path) == {"x.nii.gz": (walk.AGAIN, "z/long/way/x.nii.gz")}


def test_of_ways_through_links_the_one_with_fewest_links_counts(tmp_path):
    root = tmp_path / "root"
    touch(tmp_path, "other/x.nii", "other/deep/y.nii")
    touch(root, "own.nii")
    (tmp_path / "other/deep/again").symlink_to(tmp_path / "other")
    (root / "by_two").symlink_to("by_one")
    (root / "by_one").symlink_to(tmp_path / "other")
    assert listed(root) == ["own.nii", "by_one/x.nii", "by_one/deep/y.nii"]


def test_one_file_behind_two_links_is_listed_once(tmp_path):
    touch(tmp_path, "store/blob", "root/own.nii")
    root = tmp_path / "root"
    for name in ("b.nii.gz", "a.nii.gz"):
        (root / name).symlink_to(tmp_path / "store/blob")
    assert listed(root) == ["a.nii.gz", "own.nii"]
    assert left_out(root) == {"b.nii.gz": (walk.AGAIN, "a.nii.gz")}


def test_links_alone_may_have_the_images_names(tmp_path):
    """As in data sets of git-annex (DataLad), and in the cache of Hugging Face."""
    touch(tmp_path, ".git/annex/objects/MD5E-1.nii.gz", "blobs/0a1b2c", "sub-01/notes.txt")
    (tmp_path / "sub-01/ct.nii.gz").symlink_to("../.git/annex/objects/MD5E-1.nii.gz")
    (tmp_path / "sub-01/mr.nii.gz").symlink_to("../blobs/0a1b2c")
    assert [path for path in listed(tmp_path) if path.startswith("sub-01")] == [
        "sub-01/ct.nii.gz",
        "sub-01/mr.nii.gz",
        "sub-01/notes.txt",
    ]


def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path):
    touch(tmp_path, "x.nii")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    (tmp_path / "lost.nii").symlink_to("nowhere.nii")
    (tmp_path / "itself.nii").symlink_to("itself.nii")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(tmp_path)  # a socket's name must be short
        server.bind("socket")
        os.chdir(place)
        assert listed(tmp_path) == ["x.nii"]
        assert left_out(tmp_path) == {
            "pipe.nii.gz": (walk.SPECIAL, "named pipe"),
            "socket": (walk.SPECIAL, "socket"),
            "zero": (walk.SPECIAL, "device"),
            "lost.nii": (walk.LOST, ""),
            "itself.nii": (walk.LOST, ""),
        }
    assert walk.list_files(tmp_path) == ["x.nii"]


def test_a_folder_that_cannot_be_opened_is_named_and_others_are_listed(tmp_path, monkeypatch):
    touch(tmp_path, "a/x.nii", "closed/y.nii")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert listed(tmp_path) == ["a/x.nii"]
    assert left_out(tmp_path) == {"closed/": (walk.UNREADABLE, "Permission denied")}


@pytest.mark.parametrize("name", ["x.nii.gz", "a b", "100%", "it's", "ä", "line\nend", "trailing."])
def test_folders_may_have_any_name(tmp_path, name):
    touch(tmp_path, f"{name}/ct.nii")
    (tmp_path / "empty").mkdir()
    assert listed(tmp_path) == [f"{name}/ct.nii"]
