# Shared: the original is bundles/pretrain_ssl/scripts/run_folder.py (see tools/vendor.py).
"""What a training run keeps: its folder, its configuration, files that are never half-written."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .command_line import flags, merged_config

logger = logging.getLogger(__name__)


def new_run_folder(output_dir: str, is_main: bool = True) -> str:
    """A folder for a new run, `output_dir` itself or, where that is taken, `output_dir-2`, `-3`, …

    Nothing of an earlier run is ever overwritten. The configuration of the running command line
    is written into it. Ranks other than the main one write nothing and get `output_dir`.
    """
    if not is_main:
        return output_dir
    folder, number = Path(output_dir), 1
    while folder.exists() and any(folder.iterdir()):
        number += 1
        folder = Path(f"{output_dir}-{number}")
    folder.mkdir(parents=True, exist_ok=True)
    config = merged_config()
    content = {"config": config, "flags": flags() if config else {}}
    write_text(folder / "config.json", json.dumps(content, indent=2, default=str) + "\n")
    logger.info(f"this run is kept in {folder}")
    return str(folder)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; renamed to it when all went well, else removed.

    So there is either the old file or the whole new one, never a part.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}_{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_atomically(content: Any, path: str | Path) -> None:
    """`torch.save` by way of a temporary name."""
    with replacing(path) as temporary:
        torch.save(content, temporary)


def write_text(path: str | Path, text: str) -> None:
    """Write text by way of a temporary name."""
    with replacing(path) as temporary:
        temporary.write_text(text)
