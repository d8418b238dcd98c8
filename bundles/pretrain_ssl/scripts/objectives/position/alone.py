"""Holds the parts of the objective `position`: an encoder that has no other task.

They restore nothing and have no loss; the term and the metrics come from `wrap`.
"""

from monai.engines import PrepareBatch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from ..base import ObjectiveLoss, ObjectiveMetrics
from .network import PositionHead


class LocatedCrops(PrepareBatch):
    """Returns crops (B, 1, X, Y, Z) as they are, and no target; the engines' `prepare_batch`."""

    crops_stay_in_place = True

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor()
        return images.to(device, non_blocking=non_blocking, **kwargs), {}


class PositionNetwork(nn.Module):
    """Tells where crops lie, from the encoder `swinViT` and nothing else.

    Args:
        encoder: MONAI's.
    """

    def __init__(self, encoder: SwinTransformer) -> None:
        super().__init__()
        self.swinViT = encoder
        self.position_head = PositionHead(16 * encoder.embed_dim)

    def forward(self, image: Tensor) -> dict[str, Tensor] | Tensor:
        """Computes what the loss needs in training, the last stage in evaluation.

        Args:
            image: (B, 1, X, Y, Z) in [0, 1]; X, Y, Z divisible by 32.
        """
        return self.all_heads(image) if self.training else self.swinViT(image)[-1]

    def all_heads(self, image: Tensor) -> dict[str, Tensor]:
        """Computes `position` (B, 27), see `batch.points_of`."""
        return {"position": self.position_head(self.swinViT(image)[-1])}


class NoLoss(ObjectiveLoss):
    """Sums no term."""

    def __init__(self) -> None:
        super().__init__(weights={})

    def terms(self, pred, target) -> dict[str, Tensor]:
        return {}


class NoMetrics(ObjectiveMetrics):
    """Averages no metric."""

    def of_crops(self, pred, target) -> dict[str, Tensor]:
        return {}
