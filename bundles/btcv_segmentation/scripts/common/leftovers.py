# generated from common/leftovers.py, do not edit: `make copies`
"""Names temporary files, and removes those that a killed process has left."""

import logging
import os
import re
import secrets
import socket
import time
from pathlib import Path

logger = logging.getLogger(__name__)

PREFIX = ".half_written"
TEMPORARY = re.compile(
    rf"{re.escape(PREFIX)}_(?P<host>.+?)_(?P<pid>\d+)_"
    r"((?P<token>[0-9a-f]{8})_)?(?P<name>.+)",  # files of earlier versions have none
    re.S,
)
END_LENGTH = 40  # characters; the ending is in it, by which libraries choose a format
ABANDONED_S = 3600  # seconds; no file takes longer to write
TOKEN = secrets.token_hex(4)  # of this process


def _host() -> str:
    """Names the place in which a process's number is its own: the machine, and the container.

    Containers may share a host's name, and each numbers its processes from 1.
    """
    try:
        space = f"-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        space = ""
    return socket.gethostname() + space


def temporary_path(path: Path) -> Path:
    """Names the temporary file beside a file, under which this process writes it.

    Processes on several machines, each with this number, may share the folder, and so may those of
    containers with one host name: a random token tells them apart. Names have a limit: of a long
    one the end alone is kept.
    """
    name = f"{PREFIX}_{_host()}_{os.getpid()}_{TOKEN}_{path.name[-END_LENGTH:]}"
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
        if is_locked or _is_abandoned(path, match):
            path.unlink(missing_ok=True)
            logger.warning(f"removed {path}, half written by a process that was killed")


def _is_abandoned(path: Path, match: re.Match) -> bool:
    """Tells whether no process writes a temporary file any more.

    Args:
        path: of the file.
        match: of its name with `TEMPORARY`.
    """
    try:
        is_old = time.time() - path.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:  # renamed or removed meanwhile
        return False
    pid = int(match["pid"])
    # a number that is this process's own, with another token, was another's before
    is_ended = match["token"] != TOKEN if pid == os.getpid() else not _is_running(pid)
    return is_old or (match["host"] == _host() and is_ended)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
