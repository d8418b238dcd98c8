# generated from common/runtime/distributed.py, do not edit: `make copies`
"""Shares a SIGTERM between the ranks of a training, and gathers small Python objects."""

import os
import signal
import threading
from typing import Any

import torch
import torch.distributed as dist
from monai.utils import set_determinism

from ..cli.command_line import started_from_shell


def rank() -> int:
    """Returns this process's rank; 0 where there is a single one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Returns how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_world_size() -> int:
    """Returns how many of the processes run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if dist.is_initialized() else 1


def is_main_process() -> bool:
    """Tells whether this process writes files and shows progress."""
    return rank() == 0


def gather(value: Any, group: dist.ProcessGroup | None = None) -> list:
    """Returns the values of all processes, in the order of their ranks."""
    if not dist.is_initialized():
        return [value]
    values = [None] * world_size()
    dist.all_gather_object(values, value, group=group)
    return values


def seed_process(seed: int) -> None:
    """Seeds Python, NumPy and PyTorch, each rank differently.

    Args:
        seed: of the run; that of a rank is `seed + rank`.
    """
    set_determinism(seed + rank())


class Processes:
    """Connects the processes of a running training, without using their devices.

    An instance made in the main thread of a command line also handles SIGTERM.
    """

    def __init__(self) -> None:
        self.is_told_to_stop = False
        self.group = dist.new_group(backend="gloo") if dist.is_initialized() else None
        self.rank = dist.get_rank() if self.group else 0
        if started_from_shell() and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.stop)
            # until the first iteration is done: a data loader's workers inherit it from their start
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def stop(self, *_) -> None:
        self.is_told_to_stop = True

    def are_told_to_stop(self) -> bool:
        """Tells whether SIGTERM has reached any rank, so that all save and exit together."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return self.any(self.is_told_to_stop)

    def any(self, value: bool) -> bool:
        """Tells whether the value is true in any of the processes, so that all act alike."""
        if self.group is None:
            return value
        flag = torch.tensor(int(value))
        dist.all_reduce(flag, op=dist.ReduceOp.MAX, group=self.group)
        return bool(flag)

    def gather(self, value: Any) -> list:
        """Gathers one value of each process, in the order of their ranks."""
        return gather(value, self.group)


def leave_sigterm_to_parent(worker: int) -> None:
    """Spares data loader workers a SIGTERM to the whole job; a `worker_init_fn`.

    Otherwise PyTorch treats the end of a worker as a failure before the main process has saved. A
    worker still ends when the main process itself ends it. (macOS cannot tell who sent a signal.)
    """
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_exit_when_parent_asks, daemon=True).start()


def _exit_when_parent_asks() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
