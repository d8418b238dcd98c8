"""Computes the loss of a masked student: pixels, its own tokens, and the other crop."""

from collections.abc import Mapping

from torch import Tensor

from ..masked import MaskedLoss
from ..masked.loss import mean_over_hidden

STUDENT_TEMPERATURE = 0.1


def cross_entropy(assignment: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Computes -sum(assignment x log softmax(logits / temperature)) over the last axis."""
    return -(assignment * (logits.float() / temperature).log_softmax(dim=-1)).sum(dim=-1)


def other_crop(values: Tensor) -> Tensor:
    """Swaps the two crops of each volume, which lie side by side: (2B, …)."""
    return values.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


class DistilledLoss(MaskedLoss):
    """Adds to `masked` the terms `token`, hidden tokens alone, and `global`, of the other crop."""

    names = ("masked", "token", "global")

    def terms(self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes the three terms in float32.

        Args:
            pred: as `DistilledNetwork.all_heads` returns it.
            target: as `DistilledBatch` returns it.
        """
        hidden = target["hidden_tokens"]
        tokens = cross_entropy(
            target["token_assignment"], pred["token_logits"], STUDENT_TEMPERATURE
        )
        crops = cross_entropy(
            other_crop(target["global_assignment"]), pred["global_logits"], STUDENT_TEMPERATURE
        )
        return {
            **super().terms(pred, target),
            "token_loss": mean_over_hidden(
                tokens, hidden, is_training=pred["token_logits"].requires_grad
            ),
            "global_loss": crops.mean(),
        }
