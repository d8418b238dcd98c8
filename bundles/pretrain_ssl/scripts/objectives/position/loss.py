"""Adds the loss of a crop's position to that of an objective."""

from torch import Tensor
from torch.nn.functional import l1_loss

from ..base import ObjectiveLoss


class PositionLoss(ObjectiveLoss):
    """Adds the term `position`, the absolute error of the 27 numbers, to an objective's loss.

    Args:
        loss: the objective's own.
        weight: of the term.
    """

    def __init__(self, loss: ObjectiveLoss, weight: float) -> None:
        super().__init__({**loss.weights, "position": weight})
        self.of_objective = loss

    def terms(self, pred, target) -> dict[str, Tensor]:
        """Computes the objective's terms and `position_loss`, in shares of the volume's edges.

        Args:
            pred: the objective's, with `position` (B, 27).
            target: that of `PositionBatch`.
        """
        position_loss = l1_loss(pred["position"].float(), target["position"])
        return {**self.of_objective.terms(pred, target), "position_loss": position_loss}
