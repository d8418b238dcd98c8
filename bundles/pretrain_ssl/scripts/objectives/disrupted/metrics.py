"""Measures how much better a restored image is than the disrupted one."""

from collections.abc import Mapping

from torch import Tensor

from ..base import ObjectiveMetrics

LEAST_ERROR = 1e-10  # mean squared error of 100 dB, which is the PSNR of a perfect image too


class DisruptedMetrics(ObjectiveMetrics):
    """Averages the errors of the restored images, the loss and its term over an epoch's crops."""

    def of_crops(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Computes the metrics of single crops, (B,) each.

        `psnr`, dB; `psnr_gain`, by how many dB it is above that of the disrupted image, and
        `psnr_gain_of_mean`, the same of predicting the crop's mean, which is above 0 where there is
        much noise; `l1`, and `l1_of_mean` of predicting the crop's mean.

        Args:
            pred: as `DisruptedLoss.terms` takes it.
            target: that of `DisruptCrops`.
        """
        truth = target["reconstruction"].float().flatten(1)
        error = pred["reconstruction"].float().flatten(1) - truth
        of_mean = truth.mean(dim=1, keepdim=True) - truth
        before = _psnr(target["disrupted"].float().flatten(1) - truth)
        return {
            "psnr": _psnr(error),
            "psnr_gain": _psnr(error) - before,
            "psnr_gain_of_mean": _psnr(of_mean) - before,
            "l1": error.abs().mean(dim=1),
            "l1_of_mean": of_mean.abs().mean(dim=1),
        }

    def chance_levels(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, float | Tensor]:
        """Returns 0 dB, what copying the disrupted image gains, and the L1 of each crop's mean."""
        return {"psnr_gain": 0.0, "l1": self.of_crops(pred, target)["l1_of_mean"].mean()}


def _psnr(error: Tensor) -> Tensor:
    """Computes the PSNR (B,) in dB from the errors (B, N) of images of [0, 1]."""
    return -10 * error.square().mean(dim=1).clamp(min=LEAST_ERROR).log10()
