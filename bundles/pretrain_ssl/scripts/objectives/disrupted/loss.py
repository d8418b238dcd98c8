"""Computes the loss of restoring disrupted images."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import l1_loss

from ..base import ObjectiveLoss


class DisruptedLoss(ObjectiveLoss):
    """Averages the absolute error over all voxels.

    The paper's cross-modal contrastive loss is left out: here is one modality, and in the official
    code it is the cross-entropy of a crop-by-crop matrix in which the number of a crop's modality
    is taken for the column of its match. With one modality that is the first crop for all.

    Args:
        weights: of `reconstruction`.
    """

    names = ("reconstruction",)

    def terms(self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes the one loss in float32.

        Args:
            pred: `reconstruction` (B, 1, X, Y, Z).
            target: `reconstruction`, of the same shape.
        """
        restored = pred["reconstruction"].float()
        return {"reconstruction_loss": l1_loss(restored, target["reconstruction"])}
