# generated from common/segmentation/mean_dice.py, do not edit: `make copies`
"""Averages the Dice of a validation over its cases, each once, in however many processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.handlers import MeanDice
from torch.utils.data.distributed import DistributedSampler

if TYPE_CHECKING:  # serving does without ignite
    from ignite.engine import Engine


class CaseMeanDice(MeanDice):
    """Averages Dice as MONAI's handler, without the cases that a sampler gives out twice.

    So that all processes take as many steps, the last ones get cases that others have had. Such a
    case counts as one without any label, which MONAI's mean leaves out. The mean, and with it the
    best checkpoint, is then that of a single process.
    """

    def iteration_completed(self, engine: Engine) -> None:
        """Adds the cases of an iteration; those that come a second time without their labels."""
        output, is_second = engine.state.output, _come_again(engine)
        engine.state.output = [
            item | {"label": torch.zeros_like(item["label"])} if again else item
            for item, again in zip(output, is_second, strict=True)
        ]
        super().iteration_completed(engine)
        engine.state.output = output


def _come_again(engine: Engine) -> list[bool]:
    """Tells of each case of an engine's iteration whether the sampler has given it out before.

    `DistributedSampler` deals out cases in turns: case i of process r is at place i * processes + r
    of the data set's order, which begins anew at its end.
    """
    count, loader = len(engine.state.output), engine.data_loader
    sampler = getattr(loader, "sampler", None)
    if not isinstance(sampler, DistributedSampler):
        return [False] * count
    first = (engine.state.iteration - 1) * loader.batch_size
    places = [i * sampler.num_replicas + sampler.rank for i in range(first, first + count)]
    return [place >= len(sampler.dataset) for place in places]
