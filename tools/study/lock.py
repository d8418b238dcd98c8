"""Locks a study's folder, so that no two runners work in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from common.atomic_write import explained
from common.file_lock import try_lock


@contextmanager
def locked(folder: Path) -> Iterator[IO]:
    """Locks a folder against another runner, or raises an InputError that names it."""
    with explained(folder, "give another --output_dir"):
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / ".lock").open("w")
    with opened as file:
        busy = (
            f"{folder} is in use by another study, or by a command that one left running; wait for "
            "it, or end it."
        )
        if not try_lock(file, busy, is_inherited=True):
            print(f"{folder} cannot be locked: do not start the same study twice at a time")
        yield file
