"""Builds the student: restores hidden voxels and names each token's prototypes."""

from collections.abc import Iterator
from contextlib import contextmanager

from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from ..base import ReconstructionHead, encode
from ..masked.network import MaskedNetwork
from .heads import PrototypeHead
from .teacher import Teacher, tokens_of


@contextmanager
def before_last_merging(encoder: SwinTransformer) -> Iterator[list[Tensor]]:
    """Collects the output of the fourth stage's blocks, stride 16, while the body runs.

    It is (B, 8F, X/16, Y/16, Z/16), normalised as the encoder's outputs are.
    """
    outputs: list[Tensor] = []
    handle = encoder.layers4[0].downsample.register_forward_pre_hook(
        lambda merging, inputs: outputs.append(encoder.proj_out(inputs[0].movedim(-1, 1), True))
    )
    try:
        yield outputs
    finally:
        handle.remove()


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
        visible, hidden, replace = self.hide(image)
        with before_last_merging(self.swinViT) as features:
            stages = encode(self.swinViT, visible, replace)
        restored = self.reconstruction_head(stages[-1])
        outputs = {"reconstruction": restored.where(hidden, visible.to(restored.dtype))}
        tokens = tokens_of(features[0])
        for name, features in (("token", tokens), ("global", tokens.mean(dim=1))):
            embedding, logits = getattr(self, f"{name}_head")(features)
            outputs |= {f"{name}_embedding": embedding, f"{name}_logits": logits}
        return outputs
