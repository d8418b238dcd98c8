"""The figures that tell how each of the three tasks goes."""

from collections.abc import Mapping

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor
from torch.nn.functional import normalize

from .loss import SSLLoss

NAMES = (
    *("loss", "rotation_loss", "contrastive_loss", "reconstruction_loss"),
    *("rotation_accuracy", "contrastive_top1", "mean_cosine", "psnr", "l1", "l1_of_mean"),
)


def cosines(embedding: Tensor) -> Tensor:
    """(2B, 2B) cosines between views; a view with itself has -2, below any cosine."""
    unit = normalize(embedding.float(), dim=1)
    return (unit @ unit.T).fill_diagonal_(-2.0)


def contrastive_top1(embedding: Tensor) -> Tensor:
    """(2B,) whether the nearest other view (cosine) is the partner; chance is 1 / (2B - 1).

    Args:
        embedding: (2B, D), the first B are the first views.
    """
    partner = torch.arange(len(embedding), device=embedding.device).roll(len(embedding) // 2)
    return (cosines(embedding).argmax(dim=1) == partner).float()


def mean_cosine(embedding: Tensor) -> Tensor:
    """(2B,) mean cosine to the views of other crops; near 1 the embeddings have collapsed.

    0 where there is no other crop.
    """
    others = 1 - torch.eye(len(embedding) // 2, device=embedding.device).repeat(2, 2)
    return (cosines(embedding) * others).sum(dim=1) / others.sum(dim=1).clamp(min=1)


def view_metrics(pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each (2B,), for the single views of a batch.

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
        "l1_of_mean": (truth - truth.mean(dim=1, keepdim=True)).abs().mean(dim=1),
    }


@torch.no_grad()
def batch_metrics(
    loss: SSLLoss, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Scalars of a batch: the loss, its three terms, the means of `view_metrics`."""
    terms = loss.terms(pred, target)
    means = {name: value.mean() for name, value in view_metrics(pred, target).items()}
    return {"loss": loss.weighted(terms), **terms, **means}


class SSLMetrics(Metric):
    """Means of `batch_metrics` over the views of an epoch; gathered over processes."""

    def __init__(self, loss: SSLLoss) -> None:
        self.loss = loss
        super().__init__(output_transform=lambda output: (output["pred"], output["label"]))

    @reinit__is_reduced
    def reset(self) -> None:
        self.sums = torch.zeros(len(NAMES), dtype=torch.float64)
        self.views = 0

    @reinit__is_reduced
    def update(self, output) -> None:
        figures, views = batch_metrics(self.loss, *output), len(output[1]["rotation"])
        self.sums += views * torch.stack([figures[name] for name in NAMES]).cpu().double()
        self.views += views

    @sync_all_reduce("sums", "views")
    def compute(self) -> dict[str, float]:
        return {name: float(total) / self.views for name, total in zip(NAMES, self.sums)}
