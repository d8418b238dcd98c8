"""Builds the encoder that a file of weights holds, with the architecture that its tensors show."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from ..common.errors import InputError
from ..common.network import PatchMerging
from ..common.network.patch_merging import AUTO
from ..common.weights.architecture import Architecture, read_architecture
from ..common.weights.layouts import read_weights
from ..common.weights.preprocessing_note import describe_preprocessing_mismatch
from ..common.weights.pretrained import start_from

REMEDY = "give a file by --ckpt_path that docs/weights.md lists."


class EncoderOfFile(nn.Module):
    """Holds the encoder of a file as `swinViT`; it gives the list of its stages' outputs.

    The file is of any layout that `weights.layouts` knows: an exported encoder, a checkpoint of
    a pre-training or of a segmentation, public weights.

    Args:
        ckpt_path: the file.
        trained_with: spacing and intensity range of this run; those in the file's note must be
            equal.
        merging, allow_other_merging: see `weights.find_merging.decide`.

    Raises:
        InputError: the file cannot be used (see `weights.load_pretrained`), does not show its
            architecture, or was trained with another spacing or intensity range.
    """

    def __init__(
        self,
        ckpt_path: str,
        trained_with: Mapping[str, Any],
        merging: str = AUTO,
        allow_other_merging: bool = False,
    ) -> None:
        super().__init__()
        weights = read_weights(ckpt_path, REMEDY)
        mismatch = describe_preprocessing_mismatch(weights.trained_with or {}, trained_with)
        if mismatch:
            raise InputError(
                f"{ckpt_path} was trained with {mismatch}; give the settings of its training by "
                "--spacing_mm, --hu_min and --hu_max."
            )
        self.swinViT = _build(ckpt_path, read_architecture(weights.tensors), merging)
        start_from(self, weights, trained_with, allow_other_merging=allow_other_merging)

    def forward(self, image: Tensor) -> list[Tensor]:
        return self.swinViT(image)


def _build(path: str, architecture: Architecture, merging: str) -> SwinTransformer:
    """Builds an encoder of this architecture, with random weights.

    Raises:
        InputError: the architecture is not known, or takes several channels.
    """
    names = [field.name for field in fields(Architecture) if field.name != "out_channels"]
    unknown = [name for name in names if getattr(architecture, name) is None]
    if unknown:
        raise InputError(
            f"{path} does not show its encoder's {' and '.join(unknown)}; give a file with a whole "
            "encoder."
        )
    if architecture.in_channels != 1:
        raise InputError(
            f"{path} has input channels {architecture.in_channels}, and images of one channel are "
            "embedded; give another file."
        )
    window = architecture.window_size
    return SwinTransformer(
        in_chans=1,
        embed_dim=architecture.feature_size,
        window_size=(window,) * 3 if isinstance(window, int) else window,
        patch_size=(2, 2, 2),
        depths=architecture.depths,
        num_heads=architecture.num_heads,
        qkv_bias=architecture.qkv_bias,
        patch_norm=architecture.patch_norm,
        use_v2=architecture.use_v2,
        downsample=partial(PatchMerging, merging=merging),
    )
