# generated from common/training/sawtooth_schedule.py, do not edit: `make copies`
"""Trains the decoder first, with the encoder frozen, and then the whole network."""

import math

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..errors import InputError
from ..network import encoder_parameters


class SawtoothSchedule(LambdaLR):
    """Sets the learning rates of two phases, each of which warms up from a small rate.

    Phase one trains the decoder alone: its rate rises linearly for half of `decoder_steps` and
    falls to 0. The encoder's rate is 0, which AdamW multiplies its weight decay with as well, so
    that no bit of it changes. Phase two trains all: the rates of all groups rise linearly for
    `warmup_steps`, and fall along a half cosine to 0 at `t_total`.

    The encoder keeps `requires_grad`, since DDP waits for the gradients of all parameters that
    were trainable when it was made. So AdamW's moments of the encoder start in phase one.

    Source: Wald et al., "An OpenMind for 3D medical vision self-supervised learning", ICCV 2025,
    arXiv:2412.17041; `sawtooth_trainer.py` of github.com/TaWald/nnUNet. For CNNs that takes SGD; it
    falls by a polynomial of degree 0.9, and begins phase two with a new optimizer.

    Args:
        optimizer: each of its groups holds only the encoder's parameters, or none of them.
        network: has the encoder; DDP-wrapped or not.
        decoder_steps: iterations of phase one, 0 or more.
        warmup_steps: iterations of phase two in which the rates rise, 0 or more.
        t_total: iterations of both phases.

    Raises:
        InputError: the phases are longer than the training, or the encoder is frozen for good.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        network: nn.Module,
        decoder_steps: int,
        warmup_steps: int,
        t_total: int,
    ) -> None:
        if min(decoder_steps, warmup_steps) < 0 or decoder_steps + warmup_steps >= t_total:
            raise InputError(
                f"the sawtooth schedule has {decoder_steps} steps for the decoder alone and "
                f"{warmup_steps} of warm-up after them, and the training has {t_total}; give a "
                "smaller --decoder_epochs or --warmup_epochs, or more --epochs."
            )
        encoder = encoder_parameters(network)
        if not all(parameter.requires_grad for parameter in encoder):
            raise InputError(
                "--encoder_lr_scale 0 freezes the encoder for good, and the sawtooth schedule "
                "trains it in its second phase; give one of the two."
            )
        self.decoder_steps, self.warmup_steps, self.t_total = decoder_steps, warmup_steps, t_total
        own = set(map(id, encoder))
        shares = []
        for group in optimizer.param_groups:
            inside = {id(parameter) in own for parameter in group["params"]}
            if len(inside) > 1:
                raise ValueError("a group of the optimizer mixes encoder and decoder")
            shares.append(self.encoder_share if inside == {True} else self.share)
        super().__init__(optimizer, shares)

    def share(self, step: int) -> float:
        """Returns the decoder's share of its rate, in [0, 1], at a 0-based iteration."""
        if step < self.decoder_steps:
            half = self.decoder_steps // 2
            return rise_and_fall(step, half, self.decoder_steps)
        return rise_and_fall(
            step - self.decoder_steps, self.warmup_steps, self.t_total - self.decoder_steps
        )

    def encoder_share(self, step: int) -> float:
        """Returns the encoder's share of its rate, in [0, 1], at a 0-based iteration."""
        return 0.0 if step < self.decoder_steps else self.share(step)

    def state_dict(self) -> dict:
        """Returns the state without the functions of the groups, which the config gives again."""
        return super().state_dict() | {"lr_lambdas": [None] * len(self.lr_lambdas)}


def rise_and_fall(step: int, rise: int, end: int) -> float:
    """Computes a linear rise that reaches 1 at step `rise - 1`, then a half cosine to 0 at `end`.

    Args:
        step: 0 or more; from `end` on the value is 0.
        rise: number of steps that rise.
        end: more than `rise`.

    Returns:
        The value, in [0, 1].
    """
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / (end - rise))))
