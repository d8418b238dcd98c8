# generated from common/file_lock.py, do not edit: `make copies`
"""Locks an open file against other processes."""

import fcntl
from typing import IO

from .errors import InputError


def try_lock(file: IO, busy: str, is_inherited: bool = False) -> bool:
    """Locks a file until it is closed or its process ends, however it ends.

    Args:
        file: open for writing.
        busy: the sentence where another process holds the lock.
        is_inherited: processes that inherit the open file hold the lock too, until they end.

    Returns:
        False on a file system without locks: then the caller says what must not be done twice.

    Raises:
        InputError: another process holds the lock.
    """
    lock = fcntl.flock if is_inherited else fcntl.lockf
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(busy) from None
    except OSError:
        return False
    return True
