"""Locks of files: another process is refused, and a file system without locks is told."""

import errno
import fcntl
from multiprocessing import get_context
from pathlib import Path

import pytest

from common.errors import InputError
from common.file_lock import try_lock


def lock_elsewhere(path: Path, is_inherited: bool) -> str:
    """What another process gets: the sentence of the refusal, or whether it is locked."""
    with path.open("w") as file:
        try:
            return str(try_lock(file, "it is busy", is_inherited))
        except InputError as error:
            return str(error)


@pytest.mark.parametrize("is_inherited", [False, True])
def test_another_process_waits_until_the_file_is_closed(tmp_path, is_inherited):
    path = tmp_path / ".lock"
    with get_context("fork").Pool(1) as other:
        with path.open("w") as file:
            assert try_lock(file, "", is_inherited)
            assert other.apply(lock_elsewhere, (path, is_inherited)) == "it is busy"
        assert other.apply(lock_elsewhere, (path, is_inherited)) == "True"


@pytest.mark.parametrize(("name", "is_inherited"), [("lockf", False), ("flock", True)])
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, name, is_inherited):
    def refuse(*_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, name, refuse)
    with (tmp_path / ".lock").open("w") as file:
        assert try_lock(file, "", is_inherited) is False
