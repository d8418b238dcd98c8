"""Writes results beside their place first, so that a run that fails leaves none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from common.atomic_write import explained


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder; moves its files to `folder` when all went well, else removes it.

    Args:
        folder: of the results, made where it is missing; what lies in it stays.

    Raises:
        InputError: the folder cannot be written.
    """
    with explained(folder, "give -o another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(prefix=".", dir=folder)
    with temporary as name:
        yield Path(name)
        for path in sorted(Path(name).iterdir()):
            os.replace(path, folder / path.name)
