"""Builds the student: restores hidden voxels and names each token's prototypes."""

from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from ..base import ReconstructionHead, encode
from ..masked.network import MaskedNetwork, replacement, split_hidden
from .heads import PrototypeHead
from .teacher import Teacher, tokens_of


class DistilledNetwork(MaskedNetwork):
    """Restores a crop as `MaskedNetwork` does, and holds two prototype heads and the teacher.

    Args:
        encoder: of images of one channel.
        prototypes: of each head.
        width, bottleneck: see `PrototypeHead`.
    """

    def __init__(
        self, encoder: SwinTransformer, prototypes: int, width: int = 2048, bottleneck: int = 256
    ) -> None:
        super().__init__(encoder, ReconstructionHead(16 * encoder.embed_dim, channels=1))
        sizes = (8 * encoder.embed_dim, prototypes, width, bottleneck)
        self.token_head, self.global_head = PrototypeHead(*sizes), PrototypeHead(*sizes)
        self.teacher = Teacher(encoder, self.token_head, self.global_head)

    def forward(self, image: Tensor) -> dict[str, Tensor] | Tensor:
        """Computes all outputs in training, the restored image alone in evaluation."""
        return (
            self.all_heads(image) if self.training else super().all_heads(image)["reconstruction"]
        )

    def all_heads(self, image: Tensor) -> dict[str, Tensor]:
        """Computes the outputs of a crop with hidden voxels, the student's alone.

        Returns:
            `reconstruction` (B, 1, X, Y, Z), `token_embedding` (B, T, D), `token_logits` (B, T, K),
            `global_embedding` (B, D) and `global_logits` (B, K).
        """
        visible, hidden = split_hidden(image)
        replace = replacement(hidden, self.mask_token, self.swinViT.patch_size)
        stages = encode(self.swinViT, visible, replace)
        restored = self.reconstruction_head(stages[-1])
        outputs = {"reconstruction": restored.where(hidden, visible.to(restored.dtype))}
        tokens = tokens_of(stages)
        for name, features in (("token", tokens), ("global", tokens.mean(dim=1))):
            embedding, logits = getattr(self, f"{name}_head")(features)
            outputs |= {f"{name}_embedding": embedding, f"{name}_logits": logits}
        return outputs
