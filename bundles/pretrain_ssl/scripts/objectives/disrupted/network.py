"""Builds a SwinUNETR that restores images from which its encoder has lost channels."""

from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from ...common.data.seeded_dataset import seeded_rng
from ..base import RestoringUNETR
from .crops import DisruptedCrops
from .disruptions import CHANNELS, draw_channels


class DisruptedUNETR(RestoringUNETR):
    """Restores disrupted images; channels of the patch embedding are 0 at all tokens.

    In training and validation the channels are those of `DisruptedCrops`. An image alone, as a
    window of inference, loses channels too, because the network was never trained with all of
    them: always the same ones, drawn by the seed, so that windows fit together.

    Args:
        encoder: of images of one channel; becomes `swinViT`.
        channel_drop_rate: share of the channels that is lost.
        seed: of the channels that images alone lose.
    """

    def __init__(self, encoder: SwinTransformer, channel_drop_rate: float, seed: int) -> None:
        super().__init__(encoder)
        rng = seeded_rng(seed, CHANNELS)
        self.always_lost = draw_channels(rng, encoder.embed_dim, channel_drop_rate)

    def forward(self, inputs: DisruptedCrops | Tensor) -> dict[str, Tensor] | Tensor:
        """Computes what the loss needs in training, the restored image in evaluation.

        Args:
            inputs: disrupted crops, or (B, 1, X, Y, Z) alone; X, Y, Z are divisible by 32.
        """
        outputs = self.all_heads(inputs)
        return outputs if self.training else outputs["reconstruction"]

    def all_heads(self, inputs: DisruptedCrops | Tensor) -> dict[str, Tensor]:
        """Computes `reconstruction` (B, 1, X, Y, Z)."""
        if isinstance(inputs, Tensor):
            image, lost = inputs, self.always_lost.to(inputs.device)[None]
        else:
            image, lost = inputs.image, inputs.lost
        lost = lost[:, :, None, None, None]
        restored = super().forward(image, lambda tokens: tokens.masked_fill(lost, 0))
        return {"reconstruction": restored}
