"""Inflates weights: of one channel to several, and of images and videos to volumes."""

import re
from collections.abc import Mapping, Sequence
from math import isqrt

import torch
from torch import Tensor

from ..network.patch_merging import CURRENT, SLICES
from .architecture import INDEX, PATCH

# Layers that see the image: the encoder's, and the two of the decoder's first skip connection.
INPUT_LAYERS = (PATCH, "encoder1.layer.conv1.conv.weight", "encoder1.layer.conv3.conv.weight")

# Of red, green and blue in [0, 1]: how images and videos were normalised for these networks.
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLACES = ("00", "10", "01", "11")  # of the four tokens that are merged: row, column


def repeat_input_channel(
    file_tensors: Mapping[str, Tensor], network_tensors: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    """Repeats the weights of one input channel over the network's, divided by their number.

    So equal channels give the same output as the one channel did. Where the network has no more
    channels than the file, `file_tensors` itself is returned.

    Args:
        file_tensors: a file's tensors by SwinUNETR's names; an input layer is (F, 1, x, y, z).
        network_tensors: the network's; an input layer is (F, C, x, y, z).
    """
    shared = file_tensors.keys() & network_tensors.keys()
    inflated = {}
    for name in shared.intersection(INPUT_LAYERS):
        weight, channels = file_tensors[name], network_tensors[name].shape[1]
        if weight.shape[1] == 1 < channels:
            inflated[name] = weight.expand(-1, channels, *weight.shape[2:]) / channels
    return {**file_tensors, **inflated} if inflated else file_tensors


def inflate(tensors: Mapping[str, Tensor], window: Sequence[int] | None = None) -> dict:
    """Inflates a Swin encoder of images or videos to one of volumes.

    Rows become x, columns y, frames z. The encoder of a volume that is constant along z gives what
    the encoder of images gives for a slice in gray, each voxel shown as 2 x 2 pixels. That is exact
    where windows fit the tokens along z. The normalisation of the images' training is in the first
    layer, so intensities are given in [0, 1].

    Args:
        tensors: by SwinUNETR's names; a first layer is (F, 3, 4, 4), of videos (F, 3, 2, 4, 4),
            or has one channel instead of three.
        window: the network's, tokens along x, y, z; the table of positions is made for it where
            x and y are those of the file. Otherwise it is made for a cube.

    Returns:
        The tensors without position indices, which follow from the window. Those of no layer
        that is inflated stay as they are.
    """
    inflated = {n: v for n, v in tensors.items() if not re.search(rf"{INDEX}$|\.attn_mask$", n)}
    weight, bias = tensors.get(PATCH), tensors.get(PATCH.replace("weight", "bias"))
    is_video = weight is not None and weight.ndim == 5
    for name, value in inflated.items():
        if name.endswith(".relative_position_bias_table"):
            inflated[name] = _inflate_table(value, window, is_video)
        elif re.search(r"\.downsample\.(norm|reduction)\.", name):
            inflated[name] = _inflate_merging(value)
    if weight is not None and bias is not None and weight.shape[-2:] == (4, 4):
        inflated[PATCH], inflated[PATCH.replace("weight", "bias")] = _inflate_patch(weight, bias)
    return inflated


def _inflate_patch(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Makes (F, 1, 2, 2, 2) of (F, C, 4, 4) or (F, C, 2, 4, 4), and the bias (F,) for it.

    C is 3, or 1: how one channel was normalised is not known, and taken for not at all.

    Gray is the same number in red, green and blue, so weights are summed: their mean would be a
    third of the network's answer to a gray image.
    """
    rest = (1,) * (weight.ndim - 2)
    normalisation = (MEAN, SD) if weight.shape[1] == 3 else ((0.0,), (1.0,))
    mean, sd = (torch.tensor(values).double().view(-1, *rest) for values in normalisation)
    scaled = weight.double() / sd
    gray = scaled.sum(dim=1, keepdim=True).unflatten(-1, (2, 2)).sum(-1)
    gray = gray.unflatten(-2, (2, 2)).sum(-2)  # a voxel is 2 x 2 equal pixels
    if gray.ndim == 4:
        gray = torch.stack([gray, gray], dim=2) / 2
    shift = (scaled * mean).flatten(1).sum(1)
    return gray.movedim(2, -1).to(weight.dtype).contiguous(), (bias.double() - shift).to(bias.dtype)


def _inflate_table(table: Tensor, window: Sequence[int] | None, is_video: bool) -> Tensor:
    """Makes a table (positions, heads) of a window of volumes; those of videos depend on z."""
    positions, heads = table.shape
    edges = range(isqrt(positions), 0, -1)  # 2 w - 1: the largest whose square is a factor
    edge = next(e for e in edges if e % 2 and positions % (e * e) == 0)
    across, frames = (edge + 1) // 2, (positions // edge**2 + 1) // 2
    is_given = window is not None and len(window) == 3 and set(window[:2]) == {across}
    depth = window[2] if is_given else across
    grid = table.reshape(2 * frames - 1, edge, edge, heads).movedim(0, 2)
    if is_video:
        depth = min(depth, frames)
        grid = grid[:, :, frames - depth : frames + depth - 1]
    else:
        grid = grid.expand(-1, -1, 2 * depth - 1, -1)
    return grid.flatten(0, 2)


def _inflate_merging(value: Tensor) -> Tensor:
    """Makes the norm (8C,) or reduction (2C, 8C) of 2 x 2 x 2 tokens of that of 2 x 2, over 4C."""
    quarters = [PLACES.index(place[:2]) for place in SLICES[CURRENT]]
    value = value.unflatten(-1, (4, -1))[..., quarters, :].flatten(-2)
    return value / 2 if value.ndim == 2 else value
