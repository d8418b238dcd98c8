# generated from common/leftovers.py, do not edit: `make copies`
"""Names temporary files, and removes those that a killed process has left."""

import logging
import os
import re
import socket
import time
from pathlib import Path

logger = logging.getLogger(__name__)

PREFIX = ".half_written"
TEMPORARY = re.compile(rf"{re.escape(PREFIX)}_(?P<host>.+?)_(?P<pid>\d+)_(?P<name>.+)", re.S)
END_LENGTH = 40  # characters; the ending is in it, by which libraries choose a format
ABANDONED_S = 3600  # seconds; no file takes longer to write


def temporary_path(path: Path) -> Path:
    """Names the temporary file beside a file, under which this process writes it.

    Processes on several machines, each with this number, may share the folder. Names have a limit:
    of a long one the end alone is kept.
    """
    name = f"{PREFIX}_{socket.gethostname()}_{os.getpid()}_{path.name[-END_LENGTH:]}"
    return path.with_name(name)


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
