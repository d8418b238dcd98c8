"""Computes the loss of the pre-training (paper equation 4)."""

from monai.losses import ContrastiveLoss
from torch import Tensor
from torch.nn.functional import cross_entropy, l1_loss

from ..base import ObjectiveLoss


class SSLLoss(ObjectiveLoss):
    """Sums the rotation, contrastive and reconstruction losses by their weights.

    Args:
        weights: of `rotation`, `contrastive` and `reconstruction`, 1 each in the paper; 0 leaves a
            task out, which is the paper's ablation.
        temperature: of the contrastive loss.
    """

    names = ("rotation", "contrastive", "reconstruction")

    def __init__(self, weights: dict[str, float], temperature: float = 0.5) -> None:
        super().__init__(weights)
        self.contrast = ContrastiveLoss(temperature=temperature)

    def terms(self, pred: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
        """Computes the three losses, unweighted, in float32 whatever the network's precision.

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
