"""Measures how well hidden voxels are restored."""

from collections.abc import Mapping

from torch import Tensor

from ..base import ObjectiveMetrics

LEAST_VARIANCE = 1e-4  # (20 HU)² of the 2000 HU that are [0, 1]: a crop with less is uniform


class MaskedMetrics(ObjectiveMetrics):
    """Averages the errors in hidden voxels, the loss and its term over the crops of an epoch."""

    def of_crops(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Computes the metrics of single crops, (B,) each, of their hidden voxels.

        `masked_l1`; `masked_l1_of_mean` of predicting the mean of the crop's visible voxels;
        `masked_r2`, the share of the variance that is restored: 1 is perfect, 0 is what the mean of
        the hidden voxels would reach. The variance counts as `LEAST_VARIANCE` where it is less.

        Args:
            pred, target: as `MaskedLoss.terms` takes them.
        """
        hidden = target["hidden"].flatten(1)
        truth = target["reconstruction"].float().flatten(1)
        error = pred["reconstruction"].float().flatten(1) - truth
        guess = _mean(truth, ~hidden)[:, None]
        variance = _mean((truth - _mean(truth, hidden)[:, None]).square(), hidden)
        return {
            "masked_l1": _mean(error.abs(), hidden),
            "masked_l1_of_mean": _mean((truth - guess).abs(), hidden),
            "masked_r2": 1 - _mean(error.square(), hidden) / variance.clamp(min=LEAST_VARIANCE),
        }

    def chance_levels(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, float | Tensor]:
        """Returns the L1 of predicting each crop's visible mean, and 0."""
        guess = self.of_crops(pred, target)["masked_l1_of_mean"]
        return {"masked_l1": guess.mean(), "masked_r2": 0.0}


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Averages the chosen of (B, N) values: (B,); 0 where none is."""
    return (values * chosen).sum(dim=1) / chosen.sum(dim=1).clamp(min=1)
