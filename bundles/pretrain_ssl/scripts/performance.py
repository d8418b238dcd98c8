# Shared: the original is bundles/pretrain_ssl/scripts/performance.py (see tools/vendor.py).
"""How fast a network runs on the device at hand: precision, memory, compilation, clipping."""

import ctypes
import logging
import resource
import sys

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from .attention import accelerate

logger = logging.getLogger(__name__)

# glibc's mallopt(3): what freed memory goes back to the system, which zeroes it for its next use
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT_BYTES = 2**31 - 1  # the largest that mallopt takes
STEP_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let this process reuse the memory it frees instead of asking the system for zeroed pages.

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


def prepared(
    network: nn.Module,
    device: str | torch.device,
    fast_attention: bool = True,
    channels_last: bool = False,
    compiled: bool = False,
) -> nn.Module:
    """The same network on its device; weights and state-dict keys stay as they are.

    Args:
        fast_attention: see `attention.accelerate`.
        channels_last: store convolutions' weights with the channels last.
        compiled: run it by `torch.compile`, which needs a C++ compiler, on CUDA Triton.
    """
    network = accelerate(network.to(device), fast_attention)
    if channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
    if compiled:
        network.compile(dynamic=False)
    return network


def autocast_dtype(device: str | torch.device) -> torch.dtype:
    """bfloat16 where a GPU computes in it, float16 elsewhere."""
    is_cuda = torch.device(device).type == "cuda"
    return torch.bfloat16 if not is_cuda or torch.cuda.is_bf16_supported(False) else torch.float16


class Gradients:
    """Trainer's handler between backward and the optimizer's step, with or without AMP.

    With bfloat16, whose range is float32's, the loss is not scaled. With float16 the gradients are
    unscaled before their norm is taken; a step whose norm is not finite is skipped by the scaler.

    Args:
        max_norm: gradients of a larger norm, over all parameters, are shrunk to it; None clips
            nothing.
        dtype: autocast's.
    """

    def __init__(self, max_norm: float | None, dtype: torch.dtype) -> None:
        self.max_norm, self.dtype = max_norm, dtype

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        if self.max_norm is not None:
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.clip)

    def started(self, engine: Engine) -> None:
        if engine.amp and self.dtype != torch.float16:
            engine.scaler = torch.amp.GradScaler(engine.state.device.type, enabled=False)

    def clip(self, engine: Engine) -> None:
        if not self.takes_step(engine):  # gradients of further batches are still to be added
            return
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        nn.utils.clip_grad_norm_(engine.network.parameters(), self.max_norm)

    @staticmethod
    def takes_step(engine: Engine) -> bool:
        done = (engine.state.iteration - 1) % engine.state.epoch_length + 1
        return done % engine.accumulation_steps == 0 or done == engine.state.epoch_length


class PeakMemory:
    """Handler of any engine: the most memory used up to its end, in one line of the log.

    On CUDA what PyTorch had allocated on the device, on a CPU the process's resident set.
    """

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def completed(self, engine: Engine) -> None:
        logger.info(f"peak memory {peak_memory(engine.state.device) / 2**30:.2f} GiB")


def peak_memory(device: str | torch.device) -> int:
    """Bytes: the largest allocation on a CUDA device, the largest resident set elsewhere."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    in_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * in_bytes
