"""The pre-training objective (paper equation 4) and the figures that tell how each task goes."""

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.losses import ContrastiveLoss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss, normalize


class SSLLoss(nn.Module):
    """Weighted sum of the rotation, contrastive and reconstruction losses.

    Args:
        weights: of `rotation`, `contrastive` and `reconstruction`, 1 each in the paper; 0 leaves a
            task out, which is the paper's ablation.
        temperature: of the contrastive loss.
    """

    def __init__(self, weights: dict[str, float], temperature: float = 0.5) -> None:
        super().__init__()
        self.weights = weights
        self.contrast = ContrastiveLoss(temperature=temperature)

    def forward(self, pred: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Scalar loss; see `terms` for the arguments."""
        terms = self.terms(pred, target)
        return sum(weight * terms[f"{name}_loss"] for name, weight in self.weights.items())

    def terms(self, pred: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
        """The three losses, unweighted, in float32 whatever the network's precision.

        Args:
            pred: `rotation` (2B, 4) logits, `embedding` (2B, D), `reconstruction` (2B, 1, X, Y, Z);
                the first B are the first views.
            target: `rotation` (2B,) quarter turns, `reconstruction` as above, uncorrupted.
        """
        first, second = pred["embedding"].float().chunk(2)
        return {
            "rotation_loss": cross_entropy(pred["rotation"].float(), target["rotation"]),
            "contrastive_loss": self.contrast(first, second),
            "reconstruction_loss": l1_loss(
                pred["reconstruction"].float(), target["reconstruction"]
            ),
        }


def rotation_accuracy(logits: Tensor, turns: Tensor) -> Tensor:
    """Share of the views whose rotation was recognised; chance is 0.25."""
    return (logits.argmax(dim=1) == turns).float().mean()


def contrastive_top1(embedding: Tensor) -> Tensor:
    """Share of the views whose nearest other view (cosine) is their partner; chance 1 / (2B - 1).

    Args:
        embedding: (2B, D), the first B are the first views.
    """
    unit = normalize(embedding.float(), dim=1)
    similarity = (unit @ unit.T).fill_diagonal_(-2.0)  # below any cosine: a view is not its partner
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return (similarity.argmax(dim=1) == partner).float().mean()


class SSLFigures(Metric):
    """Means over an epoch of the three losses, rotation accuracy and contrastive top-1.

    Reads `pred` and `label` of the engine's output; gathered over ranks.
    """

    def __init__(self, loss: SSLLoss) -> None:
        self.loss = loss
        super().__init__(output_transform=lambda output: (output["pred"], output["label"]))

    @reinit__is_reduced
    def reset(self) -> None:
        self.names: list[str] = []
        self.sums = torch.zeros(5, dtype=torch.float64)
        self.batches = 0

    @reinit__is_reduced
    @torch.no_grad()
    def update(self, output) -> None:
        pred, target = output
        figures = self.loss.terms(pred, target)
        figures["rotation_accuracy"] = rotation_accuracy(pred["rotation"], target["rotation"])
        figures["contrastive_top1"] = contrastive_top1(pred["embedding"])
        self.names = list(figures)
        self.sums += torch.stack(list(figures.values())).cpu().double()
        self.batches += 1

    @sync_all_reduce("sums", "batches")
    def compute(self) -> dict[str, float]:
        return {name: float(total) / self.batches for name, total in zip(self.names, self.sums)}
