"""Clips gradients, and has a loss scale where the precision needs one."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from ..runtime.distributed import is_main_process

logger = logging.getLogger(__name__)


class GradientClipping:
    """Clips gradients between backward and the optimizer's step, with or without AMP.

    With bfloat16, whose range is float32's, the loss is not scaled. With float16 the gradients are
    unscaled before their norm is taken; a step whose norm is not finite is skipped by the scaler.

    Args:
        max_norm: gradients of a larger norm, over all parameters, are shrunk to it; None clips
            nothing.
    """

    def __init__(self, max_norm: float | None) -> None:
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        if self.max_norm is not None:
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.clip)

    def started(self, engine: Engine) -> None:
        if precision(engine) not in ("float32", "float16"):
            engine.scaler = torch.amp.GradScaler(engine.state.device.type, enabled=False)

    def clip(self, engine: Engine) -> None:
        if not takes_step(engine):  # gradients of further batches are still to be added
            return
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        nn.utils.clip_grad_norm_(engine.network.parameters(), self.max_norm)


def takes_step(engine: Engine) -> bool:
    """Tells whether the optimizer steps in an iteration: at the end of a group, and of an epoch."""
    done = (engine.state.iteration - 1) % engine.state.epoch_length + 1
    group = getattr(engine, "accumulation_steps", 1)  # an older MONAI has none
    return done % group == 0 or done == engine.state.epoch_length


def precision(engine: Engine) -> str:
    """Names the type that an engine's network computes in: `float32`, or that of autocast."""
    dtype = engine.amp_kwargs.get("dtype", torch.float16)  # autocast's own default
    return str(dtype if engine.amp else torch.float32).removeprefix("torch.")


def restore_scale(state: Mapping[str, Any], engine: Engine) -> None:
    """Restores the loss scale of a checkpoint; says in one line where the precision is another.

    One in bfloat16 has no scale, so that a run that goes on in float16 begins with its own.
    """
    if engine.scaler and state.get("scaler"):
        engine.scaler.load_state_dict(state["scaler"])
    before, now = state.get("precision"), precision(engine)
    if before not in (None, now) and is_main_process():
        logger.warning(
            f"the run was trained in {before} and goes on in {now}, so that it will not end as an "
            "uninterrupted one to the last bit"
        )
