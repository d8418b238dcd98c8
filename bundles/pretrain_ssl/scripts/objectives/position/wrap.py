"""Adds the task of position to the four parts of any objective, or leaves them as they are."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from ...common.errors import InputError
from ..base import ObjectiveLoss, ObjectiveMetrics
from .batch import PositionBatch
from .loss import PositionLoss
from .metrics import PositionMetrics
from .network import add_head


class ObjectiveParts(NamedTuple):
    """Holds what a training takes of its objective.

    Args:
        network: the bare one.
        prepare_batch: makes inputs and targets of a batch.
        loss, metrics: of outputs and targets.
    """

    network: nn.Module
    prepare_batch: Callable
    loss: ObjectiveLoss
    metrics: ObjectiveMetrics


def wrap(
    objective: str,
    network: nn.Module,
    prepare_batch: Callable,
    loss: ObjectiveLoss,
    metrics: ObjectiveMetrics,
    weight: float,
    spacing_mm: Sequence[float],
) -> ObjectiveParts:
    """Adds the position of each crop to what an objective asks; at weight 0 nothing is changed.

    An objective takes part when the class of its `prepare_batch` says `crops_stay_in_place = True`:
    row i of inputs and targets, which are a dictionary, is crop i of the batch, neither turned,
    mirrored nor mixed with another one. Its network has `all_heads`; see `network.TellsPosition`.

    Args:
        objective: its name, for the sentence.
        network: gets the head, in place, where it has none.
        prepare_batch, loss, metrics: the objective's own.
        weight: of the term `position` in the loss.
        spacing_mm: of a voxel, x, y, z.

    Raises:
        InputError: `weight` is above 0 and the objective does not keep its crops in place; or it is
            0 and the objective has no other loss, or none whose weight is above 0.
    """
    parts = ObjectiveParts(network, prepare_batch, loss, metrics)
    if weight == 0:
        if not loss.weights and not loss.names:
            raise InputError(
                f"the objective {objective} has no loss but that of the position; give a "
                "--position_weight above 0."
            )
        if not any(value > 0 for value in loss.weights.values()):
            raise InputError(
                f"the loss of the objective {objective} has no weight above 0, so that nothing "
                f"would be learnt; give one above 0 to {' or '.join(loss.names or loss.weights)}."
            )
        return parts
    if not getattr(prepare_batch, "crops_stay_in_place", False):
        raise InputError(
            f"--position_weight {weight:g} does not go with the objective {objective}: it turns, "
            "mirrors or mixes its crops, or does not say that it leaves them in place, and then a "
            "crop has no single position; leave it at 0, or give another objective."
        )
    positioned = PositionLoss(loss, weight)
    return ObjectiveParts(
        network if hasattr(network, "position_head") else add_head(network),
        PositionBatch(prepare_batch, spacing_mm),
        positioned,
        PositionMetrics(metrics, positioned),
    )
