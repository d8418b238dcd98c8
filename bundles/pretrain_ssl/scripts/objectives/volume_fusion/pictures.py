"""Shows fused crops of a validation beside the shares in them, true and predicted."""

from collections.abc import Mapping

from torch import Tensor

from ..base import ValidationPictures


class FusionPictures(ValidationPictures):
    """Writes fused crops, true and predicted shares of every validation to TensorBoard.

    A share is black where the background alone is shown, white where the foreground alone is.
    """

    title = "fused_true_predicted"

    def volumes(self, output: Mapping) -> tuple[Tensor, Tensor, Tensor]:
        """Selects the fused crops and both shares, (B, 1, X, Y, Z) each, in [0, 1]."""
        logits = output["pred"]
        levels = logits.shape[1] - 1
        predicted = logits.argmax(dim=1, keepdim=True)
        return output["image"], output["label"]["labels"] / levels, predicted / levels
