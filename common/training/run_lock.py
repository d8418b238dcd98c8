"""Locks the folder of a run for one process."""

import fcntl
import logging
from pathlib import Path

from ..errors import InputError

logger = logging.getLogger(__name__)

_locks = []  # open files; a lock is given back when its process ends, however it ends


def lock(folder: Path) -> None:
    """Locks a folder for this process; raises an InputError when another one trains in it."""
    file = (folder / ".lock").open("w")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"{folder} is in use by another process; wait for it, or give another --run_name."
        ) from error
    except OSError:  # a file system without locks
        logger.warning(f"{folder} cannot be locked: do not start the same run twice")
    _locks.append(file)
