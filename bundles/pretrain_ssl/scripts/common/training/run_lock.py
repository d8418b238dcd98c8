# generated from common/training/run_lock.py, do not edit: `make copies`
"""Locks the folder of a run for one process."""

import logging
from pathlib import Path

from ..file_lock import try_lock

logger = logging.getLogger(__name__)

_locks = []  # open files; a lock is given back when its process ends, however it ends


def lock(folder: Path) -> None:
    """Locks a folder for this process; raises an InputError when another one trains in it."""
    file = (folder / ".lock").open("w")
    busy = f"{folder} is in use by another process; wait for it, or give another --run_name."
    if not try_lock(file, busy):
        logger.warning(f"{folder} cannot be locked: do not start the same run twice")
    _locks.append(file)
