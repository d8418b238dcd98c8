"""Measures how each of the three tasks goes."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..base import ObjectiveMetrics


def cosines(embedding: Tensor) -> Tensor:
    """Computes (2B, 2B) cosines between views; -2, below any cosine, of a view with itself."""
    unit = normalize(embedding.float(), dim=1)
    return (unit @ unit.T).fill_diagonal_(-2.0)


def contrastive_top1(embedding: Tensor) -> Tensor:
    """Tells for (2B,) views whether the nearest other view (cosine) is the partner.

    Chance is 1 / (2B - 1).

    Args:
        embedding: (2B, D), the first B are the first views.
    """
    partner = torch.arange(len(embedding), device=embedding.device).roll(len(embedding) // 2)
    return (cosines(embedding).argmax(dim=1) == partner).float()


def mean_cosine(embedding: Tensor) -> Tensor:
    """Averages the cosines to the views of other crops: (2B,).

    Near 1 the embeddings have collapsed; 0 where there is no other crop.
    """
    others = 1 - torch.eye(len(embedding) // 2, device=embedding.device).repeat(2, 2)
    return (cosines(embedding) * others).sum(dim=1) / others.sum(dim=1).clamp(min=1)


def l1_of_mean(truth: Tensor) -> Tensor:
    """Computes (2B,) L1 of predicting a view's own mean, from its voxels (2B, N)."""
    return (truth - truth.mean(dim=1, keepdim=True)).abs().mean(dim=1)


def view_metrics(pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Computes the metrics of the single views of a batch, (2B,) each.

    `rotation_accuracy`: whether the rotation was recognised, chance is 0.25; `contrastive_top1`,
    `mean_cosine`: see above; `psnr` in dB of the reconstruction; `l1` of the reconstruction, and
    `l1_of_mean` of predicting the crop's own mean instead.

    Args:
        pred, target: as `SSLLoss.terms` takes them.
    """
    truth = target["reconstruction"].float().flatten(1)
    error = pred["reconstruction"].float().flatten(1) - truth
    return {
        "rotation_accuracy": (pred["rotation"].argmax(dim=1) == target["rotation"]).float(),
        "contrastive_top1": contrastive_top1(pred["embedding"]),
        "mean_cosine": mean_cosine(pred["embedding"]),
        "psnr": -10 * error.square().mean(dim=1).clamp(min=1e-10).log10(),
        "l1": error.abs().mean(dim=1),
        "l1_of_mean": l1_of_mean(truth),
    }


class SSLMetrics(ObjectiveMetrics):
    """Averages `view_metrics`, the loss and its three terms over the views of an epoch."""

    def of_crops(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        return view_metrics(pred, target)

    def chance_levels(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, float | Tensor]:
        """Returns a quarter, 1 / (2B - 1), and the L1 of predicting each crop's own mean."""
        truth = target["reconstruction"].float().flatten(1)
        return {
            "rotation_accuracy": 0.25,
            "contrastive_top1": 1 / (len(truth) - 1),
            "l1": l1_of_mean(truth).mean(),
        }
