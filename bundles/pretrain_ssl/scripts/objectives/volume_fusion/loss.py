"""Computes the loss of Volume Fusion: that of a segmentation into levels."""

from collections.abc import Mapping

from monai.losses import DiceCELoss
from torch import Tensor

from ..base import ObjectiveLoss


class FusionLoss(ObjectiveLoss):
    """Sums Dice loss and cross-entropy by their weights.

    Args:
        weights: of `dice` and `cross_entropy`, 0.5 each in the source.
        dice_ce: MONAI's loss, which gives both terms; its own weights do not count.
    """

    names = ("dice", "cross_entropy")

    def __init__(self, weights: Mapping[str, float], dice_ce: DiceCELoss) -> None:
        super().__init__(weights)
        self.dice_ce = dice_ce

    def terms(self, pred: Tensor, target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes both terms from logits (B, K + 1, X, Y, Z) and the targets of `FuseCrops`."""
        logits, labels = pred.float(), target["labels"]
        return {
            "dice_loss": self.dice_ce.dice(logits, labels),
            "cross_entropy_loss": self.dice_ce.ce(logits, labels),
        }
