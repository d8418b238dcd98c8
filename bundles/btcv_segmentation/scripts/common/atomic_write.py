# generated from common/atomic_write.py, do not edit: `make copies`
"""Writes files that are never half-written, and tries before long work whether they can be."""

import errno
import logging
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

logger = logging.getLogger(__name__)

PREFIX = ".half_written"
TEMPORARY = re.compile(rf"{re.escape(PREFIX)}_(?P<host>.+?)_(?P<pid>\d+)_(?P<name>.+)", re.S)
END_LENGTH = 40  # characters; the ending is in it, by which libraries choose a format
ABANDONED_S = 3600  # seconds; no file takes longer to write
MAKE_ROOM = "make room for it, or give another place"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; renames it when all went well, else removes it.

    So there is either the old file or the whole new one, never a part.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Processes on several machines, each with this number, may share the folder. Names have a
    # limit: of a long one the end alone is kept.
    name = f"{PREFIX}_{socket.gethostname()}_{os.getpid()}_{path.name[-END_LENGTH:]}"
    temporary = path.with_name(name)
    try:
        yield temporary
        os.replace(temporary, path)
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
            _try_to_write(path.parent)
        remove_leftovers(path.parent, path.name)
    for folder in map(Path, folders):
        with explained(folder, "give another place"):
            _try_to_write(folder)
        remove_leftovers(folder)


def _try_to_write(folder: Path) -> None:
    """Writes a byte in a folder, or in the nearest folder above it that is there."""
    while not os.path.lexists(folder):
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")


def remove_leftovers(folder: Path, name: str | None = None, is_locked: bool = False) -> None:
    """Removes temporary files of killed processes, each with a line in the log; no other file.

    Args:
        folder: searched with its sub-folders where no name is given.
        name: of the one file whose temporary files are meant.
        is_locked: no other process writes in the folder, so that none is still being written.
    """
    found = folder.rglob(f"{PREFIX}_*") if name is None else folder.glob(f"{PREFIX}_*")
    for path in found:
        match = TEMPORARY.fullmatch(path.name)
        if not match or (name is not None and match["name"] != name[-END_LENGTH:]):
            continue
        if is_locked or _is_abandoned(path, match["host"], int(match["pid"])):
            path.unlink(missing_ok=True)
            logger.warning(f"removed {path}, half written by a process that was killed")


def _is_abandoned(path: Path, host: str, pid: int) -> bool:
    """Tells whether no process writes a temporary file any more."""
    try:
        is_old = time.time() - path.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:  # renamed or removed meanwhile
        return False
    is_here = host == socket.gethostname()
    # a number that is this process's own was another's before: this one has not begun to write
    return is_old or (is_here and (pid == os.getpid() or not _is_running(pid)))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
