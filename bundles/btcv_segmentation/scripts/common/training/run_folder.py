# generated from common/training/run_folder.py, do not edit: `make copies`
"""Chooses the folder of a training run: an earlier one to resume in, or a new one."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch.distributed as dist

from ..atomic_write import explained, write_text
from ..cli.command_line import effective_config, flags, started_from_shell
from ..errors import InputError, list_first
from . import served_runs
from .checkpoint_files import list_checkpoints
from .run_lock import lock

logger = logging.getLogger(__name__)

# Keys in which the commands of one run may differ: they change how fast, not what is learnt.
# The images themselves are compared by the checkpoint, so that a data set may be moved.
INDIFFERENT = {
    *("_desc_", "resume", "num_workers", "pin_memory", "dataset_dir", "datalist"),
    *("cache_rate", "cache_gb", "cache_dir"),
}


def open_run_folder(output_dir: str, resume: str, **read: Any) -> str:
    """Returns the folder of this run: an earlier one to resume in, or a new one.

    A run is `output_dir` or, where that was taken, `output_dir-2`, `-3`, … Only the last is ever
    gone on with. One that stopped before its first checkpoint, for want of memory for instance,
    binds nothing: it may begin anew with another configuration. From Python, as in a server, every
    training is a new run. Of several processes the first decides for all.

    Args:
        output_dir: the folder's name.
        resume: "auto" goes on with the last run when it had the same configuration; "never"
            starts anew beside it, except where torchrun starts a killed training again.
        read: values of knobs that are read from data, such as `msd_orientation` from the datalist.
            They are compared as if they had been given.

    Raises:
        InputError: the last run had another configuration, or is still running.
    """
    if resume not in ("auto", "never"):
        raise InputError(f"--resume {resume} is unknown; give auto or never.")
    is_restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    goes_on = started_from_shell() and (resume == "auto" or is_restart)
    if not dist.is_initialized():
        return str(_claimed(output_dir, goes_on, read))
    folder = [str(_claimed(output_dir, goes_on, read)) if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(folder)
    return folder[0]


def _claimed(output_dir: str, goes_on: bool, read: dict[str, Any]) -> Path:
    numbered = (Path(f"{output_dir}-{n}" if n > 1 else output_dir) for n in count(1))
    earlier = []
    for folder in numbered:
        if not any(folder.glob("[!.]*")):
            break
        earlier.append(folder)
    last = earlier[-1] if earlier else None
    config = effective_config()
    config |= read if config else {}
    is_replaced = False
    if goes_on and last is not None:
        is_replaced = _is_replaced(last, config)
        folder = last
    with explained(folder, "give another --run_name or --output_dir"):
        folder.mkdir(parents=True, exist_ok=True)
        lock(folder)
    mark = served_runs.mark_and_remove_earlier(earlier)
    if is_replaced:
        logger.info(
            f"{folder} has no checkpoint yet: this command's configuration replaces its own"
        )
    if folder != last or is_replaced:
        kept = {"config": config, "flags": flags() if config else {}} | mark
        write_text(folder / "config.json", json.dumps(kept, indent=2, default=str) + "\n")
    logger.info(f"this run is kept in {folder}")
    return folder


def kept_config(folder: str | Path) -> dict:
    """Returns the configuration that a run was started with.

    Raises:
        InputError: the folder is not one of a run.
    """
    path = Path(folder) / "config.json"
    try:
        return json.loads(path.read_text())["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is not the folder of a run: its config.json cannot be read; give another "
            "--run_name, or --resume never to start anew beside it."
        ) from error


def note_merging(folder: Path, merging: str) -> None:
    """Adds to a run's config.json which patch merging `auto` stands for."""
    path = folder / "config.json"
    if path.is_file():
        write_text(
            path, json.dumps(json.loads(path.read_text()) | {"merging": merging}, indent=2) + "\n"
        )


def _is_replaced(folder: Path, config: dict) -> bool:
    """Tells whether this configuration replaces that of a run which stopped before a checkpoint.

    Raises:
        InputError: the run has checkpoints, and had another configuration; names the difference.
    """
    plain = json.loads(json.dumps(config, default=str))
    before, now = dict(_values(kept_config(folder))), dict(_values(plain))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    different = [name for name in names if name.split("::")[0] not in INDIFFERENT]
    checkpoints = folder / "checkpoints"
    is_bound = bool(list_checkpoints(checkpoints)) or (checkpoints / "best.pt").is_file()
    if different and is_bound:
        changes = [f"{name} was {before.get(name)}, is {now.get(name)}" for name in different]
        raise InputError(
            f"{folder} holds a run of another configuration ({list_first(changes, 3)}); give "
            "another --run_name, or --resume never to start anew beside it."
        )
    return bool(different)


def _values(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the plain values of nested dictionaries, with names joined by `::`."""
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, value in node.items():
        yield from _values(value, f"{name}::{key}" if name else key)
