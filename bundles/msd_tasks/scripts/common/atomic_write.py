# generated from common/atomic_write.py, do not edit: `make copies`
"""Writes files that are never half-written, and tries before long work whether they can be."""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError
from .leftovers import remove_leftovers, temporary_path

MAKE_ROOM = "make room for it, or give another place"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; renames it when all went well, else removes it.

    So there is either the old file or the whole new one, never a part. A symbolic link stays: the
    file that it leads to is replaced.
    """
    target = _follow(Path(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(target.with_name(Path(path).name))  # its ending chooses the format
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def save_atomically(content: Any, path: str | Path, remedy: str = MAKE_ROOM) -> None:
    """Saves by `torch.save` to a temporary name, flushes the file to disk and renames it.

    Args:
        content: the object to save.
        path: the file.
        remedy: closes the sentence where it cannot be written.

    Raises:
        InputError: the file cannot be written; an earlier one stays.
    """
    import torch  # takes seconds, and those who write text alone need not wait for it

    with (
        explained(path, remedy, (OSError, RuntimeError)),  # the latter: PyTorch's writer, disk full
        replacing(path) as temporary,
        temporary.open("wb") as file,
    ):
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Writes text by way of a temporary name.

    Raises:
        InputError: the file cannot be written; an earlier one stays.
    """
    with explained(path), replacing(path) as temporary, temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def explained(
    path: str | Path, remedy: str = MAKE_ROOM, kinds: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Turns an error of writing into one sentence.

    Args:
        path: of the file or folder that is written.
        remedy: closes the sentence.
        kinds: of errors.

    Raises:
        InputError: instead of an error of these kinds.
    """
    try:
        yield
    except kinds as error:
        reason = error
        while not isinstance(reason, OSError) and reason.__context__:
            reason = reason.__context__  # what stopped PyTorch's writer
        words = getattr(reason, "strerror", None) or reason
        raise InputError(f"{path} cannot be written ({words}); {remedy}.") from error


def check_writable(files: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
    """Tries to write where results will be written, and leaves nothing there.

    Meant before long work. Temporary files that a killed process left of these files, or in these
    folders, are removed.

    Args:
        files: to be written or replaced.
        folders: in which files will be written; made later where they are missing.

    Raises:
        InputError: a file or folder cannot be written.
    """
    for path in map(Path, files):
        with explained(path, "give another place"):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            parent = _follow(path).parent
            _try_to_write(parent)
        remove_leftovers(parent, path.name)
    for folder in map(Path, folders):
        with explained(folder, "give another place"):
            _try_to_write(folder)
        remove_leftovers(folder)


def _follow(path: Path) -> Path:
    """Returns the place that a symbolic link leads to, which may not be there; else the path."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _try_to_write(folder: Path) -> None:
    """Writes a byte in a folder, or in the nearest folder above it that is there."""
    while not os.path.lexists(folder):
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")
