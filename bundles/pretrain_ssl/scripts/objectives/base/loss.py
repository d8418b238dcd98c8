"""Sums the named terms of an objective's loss."""

from collections.abc import Mapping

from torch import Tensor, nn


class ObjectiveLoss(nn.Module):
    """Sums weighted terms; a subclass defines `terms`.

    Args:
        weights: by term, where `terms` names it with `_loss` behind, `{"rotation": 1.0}` for
            `rotation_loss`; 0 leaves a term out.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, pred, target) -> Tensor:
        """Returns the scalar loss; see `terms` for the arguments."""
        return self.weighted(self.terms(pred, target))

    def weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum of the dictionary that `terms` returns."""
        return sum(weight * terms[f"{name}_loss"] for name, weight in self.weights.items())

    def terms(self, pred, target) -> dict[str, Tensor]:
        """Returns each term unweighted, a scalar in float32 whatever the network's precision.

        Args:
            pred: the network's output in training mode.
            target: the second value that the objective's `prepare_batch` returns.
        """
        raise NotImplementedError
