"""Builds networks that restore hidden voxels: an encoder with one head, or a whole SwinUNETR."""

import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn
from torch.nn.functional import max_pool3d

from ..base import ReconstructionHead, RestoringUNETR, encode
from ..base.encode import Replace


def build_network(encoder: SwinTransformer, skips: bool = False) -> nn.Module:
    """Builds `MaskedUNETR` with `skips`, else `MaskedNetwork` with a transposed convolution.

    Args:
        encoder: of images of one channel.
        skips: whether the network is a whole SwinUNETR, whose decoder is trained too.
    """
    if skips:
        return MaskedUNETR(encoder)
    return MaskedNetwork(encoder, ReconstructionHead(16 * encoder.embed_dim, channels=1))


def split_hidden(image: Tensor) -> tuple[Tensor, Tensor]:
    """Splits an input of `HideUnits` into the image, 0 in hidden voxels, and their mask."""
    hidden = image < 0
    return image.masked_fill(hidden, 0), hidden


def replacement(hidden: Tensor, mask_token: Tensor, patch_size: tuple[int, ...]) -> Replace:
    """Returns a function that puts the mask token where a token has a hidden voxel.

    Args:
        hidden: (B, 1, X, Y, Z) bool.
        mask_token: (F,).
        patch_size: voxels of a token along each axis. In training units and tokens have the same
            borders; a sliding window may cut a unit inside a token, which is then hidden whole.
    """
    places = max_pool3d(hidden.float(), tuple(patch_size)) > 0
    token = mask_token.view(1, -1, 1, 1, 1)
    return lambda tokens: torch.where(places, token.to(tokens.dtype), tokens)


class RestoresHidden(nn.Module):
    """Restores the hidden voxels of an input, and keeps the visible ones as they are.

    A subclass has the encoder `swinViT`, the (F,) parameter `mask_token`, and defines `restore`. In
    training mode a forward returns what the loss needs, in evaluation mode the image alone.
    """

    def hide(self, image: Tensor) -> tuple[Tensor, Tensor, Replace]:
        """Splits an input as `split_hidden` does; returns what puts the mask token in place too."""
        visible, hidden = split_hidden(image)
        return visible, hidden, replacement(hidden, self.mask_token, self.swinViT.patch_size)

    def restore(self, image: Tensor, replace: Replace) -> Tensor:
        """Predicts (B, 1, X, Y, Z) of an image that is 0 in hidden voxels."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> dict[str, Tensor] | Tensor:
        """Computes all outputs in training, the restored image in evaluation.

        `image` is (B, 1, X, Y, Z) in [0, 1], `units.HIDDEN` where a voxel is hidden; X, Y, Z are
        divisible by 32.
        """
        outputs = self.all_heads(image)
        return outputs if self.training else outputs["reconstruction"]

    def all_heads(self, image: Tensor) -> dict[str, Tensor]:
        """Computes `reconstruction` (B, 1, X, Y, Z)."""
        visible, hidden, replace = self.hide(image)
        return {"reconstruction": torch.where(hidden, self.restore(visible, replace), visible)}


class MaskedNetwork(RestoresHidden):
    """Restores from the encoder's last stage alone, as SimMIM and UNetFormer do.

    Args:
        encoder: MONAI's; named `swinViT` as in `SwinUNETR`.
        reconstruction_head: takes (B, F, X/32, Y/32, Z/32), returns (B, 1, X, Y, Z).
    """

    def __init__(self, encoder: SwinTransformer, reconstruction_head: nn.Module) -> None:
        super().__init__()
        self.swinViT, self.reconstruction_head = encoder, reconstruction_head
        self.mask_token = _new_token(encoder)

    def restore(self, image: Tensor, replace: Replace) -> Tensor:
        return self.reconstruction_head(encode(self.swinViT, image, replace)[-1])


class MaskedUNETR(RestoresHidden, RestoringUNETR):
    """Restores by a whole SwinUNETR, whose skips carry nothing of hidden voxels.

    Args:
        encoder: becomes `swinViT`.
    """

    def __init__(self, encoder: SwinTransformer) -> None:
        RestoringUNETR.__init__(self, encoder)
        self.mask_token = _new_token(encoder)

    def restore(self, image: Tensor, replace: Replace) -> Tensor:
        return RestoringUNETR.forward(self, image, replace)


def _new_token(encoder: SwinTransformer) -> nn.Parameter:
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(encoder.embed_dim), std=0.02))
