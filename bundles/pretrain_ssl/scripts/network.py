"""The pre-training network (paper figure 2): a Swin Transformer encoder and three heads."""

from math import prod

from monai.inferers import Inferer
from torch import Tensor, nn

STRIDE = 32  # the encoder's last stage has one token per 32 voxels along each axis


class SSLNetwork(nn.Module):
    """Encoder with rotation, contrastive and reconstruction heads on its last stage.

    In training mode a forward returns what the loss needs, in evaluation mode the reconstruction
    alone: one tensor, which is what inference, verification and export take.

    Args:
        encoder: MONAI's `SwinTransformer`; it is named `swinViT` as in `SwinUNETR`, so that its
            weights transfer by name.
        rotation_head, contrastive_head, reconstruction_head: take (B, F, X/32, Y/32, Z/32).
    """

    def __init__(
        self,
        encoder: nn.Module,
        rotation_head: nn.Module,
        contrastive_head: nn.Module,
        reconstruction_head: nn.Module,
    ) -> None:
        super().__init__()
        self.swinViT = encoder
        self.rotation_head = rotation_head
        self.contrastive_head = contrastive_head
        self.reconstruction_head = reconstruction_head

    def forward(self, image: Tensor) -> dict[str, Tensor] | Tensor:
        """image: (B, C, X, Y, Z), HU scaled to [0, 1]; X, Y, Z divisible by 32."""
        if self.training:
            return self.all_heads(image)
        return self.reconstruction_head(self.swinViT(image)[-1])

    def all_heads(self, image: Tensor) -> dict[str, Tensor]:
        """`rotation` (B, 4) logits, `embedding` (B, D), `reconstruction` (B, C, X, Y, Z)."""
        features = self.swinViT(image)[-1]
        return {
            "rotation": self.rotation_head(features),
            "embedding": self.contrastive_head(features),
            "reconstruction": self.reconstruction_head(features),
        }


class RotationHead(nn.Sequential):
    """Quarter turns from all tokens of the last stage, flattened: (B, F, …) to (B, 4) logits.

    The official script reads one token, a corner; pooling the tokens loses where they were, and
    with it the rotation.

    Args:
        features: F of the last stage, 16 times the feature size.
        patch_size: crop size in voxels; only crops of this size are accepted.
    """

    def __init__(self, features: int, patch_size: list[int]) -> None:
        tokens = prod(size // STRIDE for size in patch_size)
        super().__init__(nn.Flatten(), nn.Linear(features * tokens, 4))


class ContrastiveHead(nn.Sequential):
    """Embedding of a crop from the mean of its tokens: (B, F, …) to (B, embedding_size).

    A projection with batch normalisation (as in SimCLR) where the paper has one linear layer: with
    the linear layer all embeddings start nearly equal and the loss stays at its chance value.
    """

    def __init__(self, features: int, embedding_size: int = 512) -> None:
        super().__init__(
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
            nn.Linear(features, features),
            nn.BatchNorm1d(features),
            nn.ReLU(),
            nn.Linear(features, embedding_size),
        )


class ReconstructionHead(nn.ConvTranspose3d):
    """One transposed convolution (the paper's light decoder): (B, F, X/32, …) to (B, C, X, …)."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__(features, channels, kernel_size=STRIDE, stride=STRIDE)


class AllHeadsInferer(Inferer):
    """Inferer of the validation: all heads of a network in evaluation mode, DDP-wrapped or not."""

    def __call__(self, inputs: Tensor, network: nn.Module) -> dict[str, Tensor]:
        return getattr(network, "module", network).all_heads(inputs)
