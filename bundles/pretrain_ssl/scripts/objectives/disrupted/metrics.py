"""Measures how much better a restored image is than the disrupted one."""

from collections.abc import Mapping

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from torch import Tensor

from ..base import ObjectiveMetrics

SIGMAS = (1.0, 2.0, 3.0, 4.0, 6.0)  # voxels, of the Gaussian filters that are tried on a crop
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

    def of_validation(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Computes what smoothing the disrupted crop reaches, which needs no training, (B,) each.

        `psnr_gain_of_smoothing` and `l1_of_smoothing` are those of a Gaussian filter, at the one of
        `SIGMAS` that gives this crop its highest PSNR.

        Args:
            pred, target: see `of_crops`.
        """
        truth, disrupted = target["reconstruction"].float(), target["disrupted"].float()
        errors = [(smooth(disrupted, sigma) - truth).flatten(1) for sigma in SIGMAS]
        psnr, best = torch.stack([_psnr(error) for error in errors]).max(dim=0)
        l1 = torch.stack([error.abs().mean(dim=1) for error in errors])
        return {
            "psnr_gain_of_smoothing": psnr - _psnr((disrupted - truth).flatten(1)),
            "l1_of_smoothing": l1.gather(0, best[None])[0],
        }

    def chance_levels(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, float | Tensor]:
        """Returns 0 dB, what copying the disrupted image gains, and the L1 of each crop's mean."""
        return {"psnr_gain": 0.0, "l1": self.of_crops(pred, target)["l1_of_mean"].mean()}


def smooth(images: Tensor, sigma: float) -> Tensor:
    """Smooths images (B, C, X, Y, Z) by a Gaussian and clips them to [0, 1].

    Beyond an edge the nearest voxel counts. MONAI's `GaussianFilter` has 0 there, which darkens the
    edges.

    Args:
        sigma: standard deviation, voxels.
    """
    kernel = gaussian_1d(torch.tensor(sigma, device=images.device))
    return separable_filtering(images, [kernel] * 3, mode="replicate").clamp(0, 1)


def _psnr(error: Tensor) -> Tensor:
    """Computes the PSNR (B,) in dB from the errors (B, N) of images of [0, 1]."""
    return -10 * error.square().mean(dim=1).clamp(min=LEAST_ERROR).log10()
