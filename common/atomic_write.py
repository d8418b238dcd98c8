"""Writes files that are never half-written."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

END_LENGTH = 40  # characters; the ending is in it, by which libraries choose a format


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; renames it when all went well, else removes it.

    So there is either the old file or the whole new one, never a part.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Processes on several machines, each with this number, may share the folder. Names have a
    # limit: of a long one the end alone is kept.
    temporary = path.with_name(f".{socket.gethostname()}_{os.getpid()}_{path.name[-END_LENGTH:]}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_atomically(content: Any, path: str | Path) -> None:
    """Saves by `torch.save` to a temporary name, flushes the file to disk and renames it."""
    import torch  # takes seconds, and those who write text alone need not wait for it

    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Writes text by way of a temporary name."""
    with replacing(path) as temporary:
        temporary.write_text(text)
