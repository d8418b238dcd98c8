"""Runs MONAI's Swin Transformer with a place where its first tokens can be replaced."""

from collections.abc import Callable

import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

Replace = Callable[[Tensor], Tensor]


def encode(
    encoder: SwinTransformer,
    image: Tensor,
    replace: Replace | None = None,
    normalize: bool = True,
) -> list[Tensor]:
    """Computes the encoder's five stages from tokens that `replace` has changed.

    Without `replace` the result is that of `encoder(image, normalize)`, bit for bit. A forward hook
    of the encoder does not fire, as its own forward is not run; hooks of its parts do.

    Args:
        encoder: MONAI's, with `use_v2`, checkpointing and fast attention as it has them.
        image: (B, C, X, Y, Z).
        replace: takes the tokens of the patch embedding, (B, F, X/2, Y/2, Z/2), and returns tokens
            of the same shape, such as mask tokens where voxels are hidden.
        normalize: see `SwinTransformer.forward`; True is also `SwinUNETR`'s default.

    Returns:
        (B, F, X/2, …), (B, 2F, X/4, …) and so on, five.
    """
    tokens = encoder.pos_drop(encoder.patch_embed(image))
    if replace is not None:
        tokens = replace(tokens)
    stages = [encoder.proj_out(tokens, normalize)]
    for number in range(1, 5):
        if encoder.use_v2:
            tokens = getattr(encoder, f"layers{number}c")[0](tokens.contiguous())
        tokens = getattr(encoder, f"layers{number}")[0](tokens.contiguous())
        stages.append(encoder.proj_out(tokens, normalize))
    return stages


class RestoringUNETR(SwinUNETR):
    """Runs a whole SwinUNETR on tokens that an objective replaces.

    Names of tensors are SwinUNETR's, so that encoder and decoder go into one, and come from one, by
    `weights.load_pretrained`. The skip of full size, `encoder1`, reads the image as it is given:
    what is to be hidden must be hidden in it.

    Args:
        encoder: becomes `swinViT`; the other parts follow from its channels and embedding. The
            pre-training's configs have it as a node of its own.
        out_channels: of the output layer, `out`.
    """

    def __init__(self, encoder: SwinTransformer, out_channels: int = 1) -> None:
        channels = encoder.patch_embed.proj.in_channels
        super().__init__(channels, out_channels, feature_size=encoder.embed_dim)
        self.swinViT = encoder

    def forward(self, image: Tensor, replace: Replace | None = None) -> Tensor:
        """Computes (B, out_channels, X, Y, Z) from (B, C, X, Y, Z).

        Args:
            image: X, Y, Z divisible by 32.
            replace: see `encode`.

        Raises:
            ValueError: X, Y or Z is not divisible by 32.
        """
        if not torch.jit.is_scripting() and not torch.jit.is_tracing():
            self._check_input_size(image.shape[2:])
        stages = encode(self.swinViT, image, replace, self.normalize)
        skips = [self.encoder1(image), self.encoder2(stages[0]), self.encoder3(stages[1])]
        skips += [self.encoder4(stages[2]), stages[3]]
        features = self.encoder10(stages[4])
        for number in range(5, 0, -1):
            features = getattr(self, f"decoder{number}")(features, skips[number - 1])
        return self.out(features)
