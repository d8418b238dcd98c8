"""Computes the loss of restoring hidden voxels."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ...common.errors import InputError
from ..base import ObjectiveLoss

ERRORS = {"l1": l1_loss, "l2": mse_loss}


class MaskedLoss(ObjectiveLoss):
    """Averages the error over the hidden voxels of a batch; visible voxels have no part in it.

    Args:
        weights: of `masked`.
        error: "l1", absolute (SimMIM, UNetFormer, SMIT), or "l2", squared (MAE).

    Raises:
        InputError: there is no such error.
    """

    names = ("masked",)

    def __init__(self, weights: Mapping[str, float], error: str = "l1") -> None:
        super().__init__(weights)
        if error not in ERRORS:
            raise InputError(f"loss::error {error} is unknown; give {' or '.join(ERRORS)}.")
        self.error = ERRORS[error]

    def terms(self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes the one loss in float32.

        Args:
            pred: `reconstruction` (B, 1, X, Y, Z).
            target: `reconstruction` and `hidden`, bool, of the same shape.
        """
        hidden = target["hidden"]
        restored = pred["reconstruction"].float()
        errors = self.error(restored, target["reconstruction"], reduction="none")
        return {"masked_loss": (errors * hidden).sum() / hidden.sum().clamp(min=1)}
