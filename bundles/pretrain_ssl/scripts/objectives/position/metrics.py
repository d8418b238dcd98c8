"""Measures how far from its place a crop is thought to be."""

from collections.abc import Mapping

import torch
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from ..base import ObjectiveMetrics
from .batch import POINTS, SIZE
from .loss import PositionLoss

AXES = ("x", "y", "z")
LEAST_VARIANCE = 1e-4  # (1 % of an edge)²: positions that vary less are one position


class PositionMetrics(ObjectiveMetrics):
    """Adds the metrics of the position to those of an objective.

    After a validation there is `position_r2` too, the share of the variance of all its positions
    that is told: 1 is perfect, 0 what their mean would reach. It is of all crops together, since
    the mean of a small batch knows much of each of its crops. `position_r2_x`, `_y` and `_z` are
    that of one axis: where fields of view differ along the body, only the last is low.

    Args:
        metrics: the objective's own.
        loss: the wrapped one.
    """

    def __init__(self, metrics: ObjectiveMetrics, loss: PositionLoss) -> None:
        self.of_objective = metrics
        super().__init__(loss)

    def of_crops(self, pred, target) -> dict[str, Tensor]:
        """Computes the metrics of single crops, (B,) each.

        `position_mm`: distance between the true and the predicted point, mean of the nine;
        `position_mm_of_middle`: the same of a crop thought to lie in the middle of its volume.

        Args:
            pred, target: as `PositionLoss.terms` takes them.
        """
        truth = target["position"].unflatten(1, (POINTS, 3))
        middle = truth - truth[:, :1] + 0.5
        predicted, edges = pred["position"].float().view_as(truth), target["volume_mm"][:, None]
        return {
            **self.of_objective.of_crops(pred, target),
            "position_mm": ((predicted - truth) * edges).norm(dim=2).mean(dim=1),
            "position_mm_of_middle": ((middle - truth) * edges).norm(dim=2).mean(dim=1),
        }

    def of_validation(self, pred, target) -> dict[str, Tensor]:
        """Returns those of the objective."""
        return self.of_objective.of_validation(pred, target)

    def chance_levels(self, pred, target) -> dict[str, float | Tensor]:
        """Adds the distance from the middle of the volume, and 0 for each `position_r2`."""
        guess = self.of_crops(pred, target)["position_mm_of_middle"]
        own = self.of_objective.chance_levels(pred, target)
        r2 = dict.fromkeys(("position_r2", *(f"position_r2_{axis}" for axis in AXES)), 0.0)
        return {**own, "position_mm": guess.mean(), **r2}

    def chance_of_epoch(self, levels: Mapping[str, float]) -> Mapping[str, float]:
        """Returns those of the objective, and its own as they are."""
        return self.of_objective.chance_of_epoch(levels)

    @reinit__is_reduced
    def reset(self) -> None:
        super().reset()
        self.moments = torch.zeros(3, SIZE, dtype=torch.float64)

    @reinit__is_reduced
    @torch.no_grad()
    def update(self, output) -> None:
        super().update(output)
        truth = output[1]["position"].double()
        errors = output[0]["position"].double() - truth
        sums = [values.sum(dim=0) for values in (truth, truth.square(), errors.square())]
        self.moments = self.moments + self.share * torch.stack(sums).to(self.moments.device)

    @sync_all_reduce("moments")
    def compute(self) -> dict[str, float]:
        return {**super().compute(), **self.r2()}

    @sync_all_reduce("crops")
    def r2(self) -> dict[str, float]:
        """Computes `position_r2`, and that of each axis, from the sums over all crops."""
        mean, square, error = self.moments.unflatten(1, (POINTS, 3)) / self.crops
        variance = square - mean.square()
        shares = {"position_r2": _told(error, variance)}
        for number, axis in enumerate(AXES):
            shares[f"position_r2_{axis}"] = _told(error[:, number], variance[:, number])
        return shares


def _told(error: Tensor, variance: Tensor) -> float:
    """Computes the share of the variance that is told, from squared errors and variances."""
    return float(1 - error.mean() / variance.mean().clamp(min=LEAST_VARIANCE))
