# generated from common/training/checkpoint_files.py, do not edit: `make copies`
"""Lists, reads and rotates the checkpoint files of a run; touches no file that it did not name."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..atomic_write import save_atomically
from ..errors import InputError
from ..runtime.distributed import Processes
from ..weights.checkpoint_file import check_readable, find_non_finite

logger = logging.getLogger(__name__)

NAME = re.compile(r"iteration_(\d+)\.pt")


class DamagedCheckpointError(InputError):
    """Reports a checkpoint that is cut short, broken, or of a training that failed."""


def checkpoint_path(folder: Path, iteration: int) -> Path:
    """Returns the name of the checkpoint after an iteration."""
    return folder / f"iteration_{iteration}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """Lists the checkpoints of a folder, oldest first; a user's files beside them do not count."""
    paths = [path for path in folder.glob("iteration_*.pt") if NAME.fullmatch(path.name)]
    paths = [path for path in paths if path.is_file()]
    return sorted(paths, key=lambda path: int(NAME.fullmatch(path.name)[1]))


def remove_old(folder: Path, n_saved: int) -> None:
    """Removes all checkpoints but the last ones."""
    for old in list_checkpoints(folder)[:-n_saved]:
        old.unlink(missing_ok=True)


def read_last(folder: Path, processes: Processes) -> tuple[Path, dict[str, Any]] | None:
    """Reads the last checkpoint that is whole; None where a run has none.

    A damaged one is renamed, with a line in the log, and the one before it serves. Of several
    processes the first decides for all.

    Raises:
        InputError: the only one is damaged, or a file cannot be read.
    """
    last = _read_last_whole(folder) if processes.rank == 0 else None
    path = processes.gather(last and last[0])[0]
    return last if processes.rank == 0 or path is None else (path, read_state(path))


def _read_last_whole(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    paths = list_checkpoints(folder)
    while paths:
        path = paths.pop()
        try:
            return path, read_state(path)
        except DamagedCheckpointError as error:
            if not paths:
                raise
            renamed = path.rename(path.with_name(f"{path.name}.damaged"))
            logger.warning(f"{error} It is kept as {renamed.name}; {paths[-1].name} serves instead")
    return None


def write_checkpoint(content: Mapping[str, Any], path: Path, folder: Path | None = None) -> None:
    """Writes a checkpoint, or the weights of one.

    Args:
        content: the object to save.
        path: the file.
        folder: of the checkpoints, for the sentence; the file's own where none is given.

    Raises:
        InputError: it cannot be written; the file before it stays.
    """
    last = next(reversed(list_checkpoints(folder or path.parent)), "the beginning")
    remedy = f"make room for it, then the same command goes on from {last}"
    save_atomically(content, path, remedy)


def deploy(state: Mapping[str, Any], folder: Path, model_path: Path) -> None:
    """Writes the deployed model and, last of all, best.pt, which shows that both are there."""
    write_checkpoint(state["network"], model_path, folder)
    write_checkpoint(state, folder / "best.pt")


def is_deployed(state: Mapping[str, Any], folder: Path) -> bool:
    """Tells whether `deploy` has written a checkpoint to the end."""
    path = folder / "best.pt"
    try:
        return path.is_file() and read_state(path)["iteration"] == state["iteration"]
    except InputError:
        return False


def read_state(path: Path) -> dict[str, Any]:
    """Reads a checkpoint.

    Raises:
        DamagedCheckpointError: it is cut short or otherwise broken, or its weights are not finite.
        InputError: the file cannot be read.
    """
    remedy = "delete it, then the same command goes on from the checkpoint before, if there is one."
    check_readable(path)  # a checkpoint that is not damaged stays where it is
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        name = find_non_finite(state["network"])
        state["iteration"], state["batches"]  # of a checkpoint, not of a file of weights
    except MemoryError:
        raise
    except Exception as error:  # torch raises a different kind for each way of being broken
        message = f"{path} cannot be read, it may have been cut short; {remedy}"
        raise DamagedCheckpointError(message) from error
    if name:
        raise DamagedCheckpointError(f"{path} holds NaN or infinity in {name}; {remedy}")
    return state
