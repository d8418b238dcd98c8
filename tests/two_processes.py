"""Calls a function in two processes that can gather, by gloo, without a new Python."""

from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def in_two_processes(folder: Path, work: Callable, *arguments) -> list[Any]:
    """Returns what `work(rank, *arguments)` returns in each process, in the order of ranks.

    Args:
        folder: an empty one, in which the processes meet.
        work: a function of a module, so that a GPU's machine can start it in a new Python: there
            a process must not be forked once gradients were computed.
        arguments: the same in both.
    """
    method = "spawn" if torch.cuda.is_available() else "fork"
    store = f"file://{folder.resolve()}/store"
    calls = [(rank, store, work, arguments) for rank in range(2)]
    with get_context(method).Pool(2) as pool:
        return pool.starmap(_joined, calls, chunksize=1)


def _joined(rank: int, store: str, work: Callable, arguments: tuple) -> Any:
    torch.set_num_threads(1)
    limit = timedelta(seconds=60)  # one that fails would let the other wait
    dist.init_process_group("gloo", store, timeout=limit, rank=rank, world_size=2)
    try:
        return work(rank, *arguments)
    finally:
        dist.destroy_process_group()
