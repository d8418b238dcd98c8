# generated from common/training/gradient_clipping.py, do not edit: `make copies`
"""Clips gradients, and switches the loss scale off where it is not needed."""

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn


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
        dtype = engine.amp_kwargs.get("dtype", torch.float16)  # autocast's own default
        if engine.amp and dtype != torch.float16:
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
