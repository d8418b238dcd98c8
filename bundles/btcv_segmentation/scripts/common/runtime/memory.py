# generated from common/runtime/memory.py, do not edit: `make copies`
"""Keeps freed memory and measures peak memory."""

import ctypes
import resource
import sys

import torch

# glibc's mallopt(3): what freed memory goes back to the system, which zeroes it for its next use
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT_BYTES = 2**31 - 1  # the largest that mallopt takes
STEP_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Lets this process reuse the memory it frees instead of asking the system for zeroed pages.

    On a CPU half the time of an inference went into those pages. Equal to starting the process
    with `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_TOP_PAD_=67108864`.

    Returns:
        Whether it could be set: with glibc only, so not on macOS, Windows or Alpine.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: KEPT_BYTES, M_TOP_PAD: STEP_BYTES}
    return mallopt is not None and all(mallopt(*setting) for setting in settings.items())


def peak_memory(device: str | torch.device) -> int:
    """Returns bytes: the largest allocation on a CUDA device, else the largest resident set."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    in_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * in_bytes
