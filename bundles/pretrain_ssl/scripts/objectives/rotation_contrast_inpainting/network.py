"""Builds the pre-training network (paper figure 2): a Swin Transformer encoder and three heads."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class SSLNetwork(nn.Module):
    """Combines the encoder with rotation, contrastive and reconstruction heads.

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

    def forward(self, image: Tensor, chunk_size: int | None = None) -> dict[str, Tensor] | Tensor:
        """Computes all heads in training, the reconstruction in evaluation.

        `image` is (B, C, X, Y, Z), HU scaled to [0, 1]; X, Y, Z are divisible by 32.
        """
        if self.training:
            return self.all_heads(image, chunk_size)
        return self.encode_and_restore(image)[1]

    def encode_and_restore(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Computes (B, F, X/32, …) features and the (B, C, X, …) reconstruction of each view."""
        features = self.swinViT(image)[-1]
        return features, self.reconstruction_head(features)

    def all_heads(self, image: Tensor, chunk_size: int | None = None) -> dict[str, Tensor]:
        """Computes `rotation` (B, 4) logits, `embedding` (B, D), `reconstruction` (B, C, X, Y, Z).

        Args:
            chunk_size: how many views encoder and reconstruction see at a time. Their gradients are
                computed chunk by chunk in a second forward, so that memory does not bound the
                batch of the contrastive loss, and are exactly those of the whole batch (GradCache:
                Gao et al. 2021). None: all at once.
        """
        if chunk_size is None or len(image) <= chunk_size:
            features, reconstruction = self.encode_and_restore(image)
        else:
            parts = [
                checkpoint(self.encode_and_restore, chunk, use_reentrant=False)
                for chunk in image.split(chunk_size)
            ]
            features, reconstruction = map(torch.cat, zip(*parts))
        return {
            "rotation": self.rotation_head(features),
            "embedding": self.contrastive_head(features),
            "reconstruction": reconstruction,
        }
