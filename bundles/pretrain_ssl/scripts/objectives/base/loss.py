"""Sums the named terms of an objective's loss."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from torch import Tensor, nn

from ...common.errors import InputError, suggest_and_list


class ObjectiveLoss(nn.Module):
    """Sums weighted terms; a subclass defines `terms`.

    Args:
        weights: by term, where `terms` names it with `_loss` behind, `{"rotation": 1.0}` for
            `rotation_loss`; 0 leaves a term out.

    Attributes:
        names: of the class: all terms that `terms` returns, without `_loss`. A class that leaves it
            None has its weights checked in the first step instead of before any work.

    Raises:
        InputError: a weight is of a term that the loss does not have.
    """

    names: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = weights
        if self.names is not None:
            self._check_names(self.names)

    def _check_names(self, known: Iterable[str]) -> None:
        """Refuses a weight of another term than the known ones."""
        known = list(known)
        for name in self.weights:
            if name not in known:
                raise InputError(
                    f"the weights of the loss have {name}, and the loss has no such term; "
                    f"{suggest_and_list(name, known)}"
                )

    def forward(self, pred, target) -> Tensor:
        """Returns the scalar loss; see `terms` for the arguments."""
        return self.weighted(self.terms(pred, target))

    def weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum of the dictionary that `terms` returns."""
        self._check_names(term.removesuffix("_loss") for term in terms)
        return sum(weight * terms[f"{name}_loss"] for name, weight in self.weights.items())

    def terms(self, pred, target) -> dict[str, Tensor]:
        """Returns each term unweighted, a scalar in float32 whatever the network's precision.

        Args:
            pred: the network's output in training mode.
            target: the second value that the objective's `prepare_batch` returns.
        """
        raise NotImplementedError
