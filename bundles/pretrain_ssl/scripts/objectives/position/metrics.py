"""Measures how far from its place a crop is thought to be."""

import torch
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from ..base import ObjectiveMetrics
from .batch import POINTS, SIZE
from .loss import PositionLoss

LEAST_VARIANCE = 1e-4  # (1 % of an edge)²: positions that vary less are one position


class PositionMetrics(ObjectiveMetrics):
    """Adds the metrics of the position to those of an objective.

    After a validation there is `position_r2` too, the share of the variance of all its positions
    that is told: 1 is perfect, 0 what their mean would reach. It is of all crops together, since
    the mean of a small batch knows much of each of its crops.

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

    def chance_levels(self, pred, target) -> dict[str, float | Tensor]:
        """Adds the distance from the middle of the volume, and 0 for `position_r2`."""
        guess = self.of_crops(pred, target)["position_mm_of_middle"]
        own = self.of_objective.chance_levels(pred, target)
        return {**own, "position_mm": guess.mean(), "position_r2": 0.0}

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
        self.moments = self.moments + torch.stack(sums).to(self.moments.device)

    @sync_all_reduce("moments")
    def compute(self) -> dict[str, float]:
        return {**super().compute(), "position_r2": self.r2()}

    @sync_all_reduce("crops")
    def r2(self) -> float:
        """Computes `position_r2` from the sums over all crops."""
        mean, square, error = self.moments / self.crops
        variance = (square - mean.square()).mean().clamp(min=LEAST_VARIANCE)
        return float(1 - error.mean() / variance)
