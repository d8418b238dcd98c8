"""Computes the loss of restoring hidden voxels."""

from collections.abc import Mapping

import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ...common.errors import InputError
from ..base import ObjectiveLoss

ERRORS = {"l1": l1_loss, "l2": mse_loss}


def mean_over_hidden(errors: Tensor, hidden: Tensor, is_training: bool) -> Tensor:
    """Averages errors over the hidden places of a batch, in a training of all processes' batch.

    Crops that draw their own share hide more in one process than in another. DDP averages the
    gradients of the processes, so each divides its sum by the mean of their counts: the average is
    then the gradient of one process with the whole batch.

    Args:
        errors: one for each place.
        hidden: bool, of the same shape.
        is_training: every process calls this for its part of one batch.
    """
    count, world_size = hidden.sum(), 1
    if is_training and dist.is_initialized():
        dist.all_reduce(count)
        world_size = dist.get_world_size()
    return (errors * hidden).sum() / (count.clamp(min=1) / world_size)


class MaskedLoss(ObjectiveLoss):
    """Averages the error over the hidden voxels of a batch; visible voxels have no part in it.

    In a training by several processes it is the batch of all, see `mean_over_hidden`.

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
        restored = pred["reconstruction"]
        errors = self.error(restored.float(), target["reconstruction"], reduction="none")
        mean = mean_over_hidden(errors, target["hidden"], is_training=restored.requires_grad)
        return {"masked_loss": mean}
