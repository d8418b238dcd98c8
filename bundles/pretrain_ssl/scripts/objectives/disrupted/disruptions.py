"""Disrupts images by noise and low resolution, and draws the channels that the encoder loses.

Drawing and applying are separate functions, so that each can be tested exactly.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...common.errors import InputError

NOISE, CHANNELS = 0, 1  # last part of the keys of draws


def disrupt(
    images: Tensor, noise_seeds: Sequence[int], noise_variance: float, downsampling: int
) -> Tensor:
    """Adds noise and then lowers the resolution, in the official code's order.

    Args:
        images: (B, C, X, Y, Z) float32.
        noise_seeds: one for each image.
        noise_variance: see `add_noise`; 0 adds none.
        downsampling: see `coarsen`; 1 changes nothing.
    """
    return coarsen(add_noise(images, noise_seeds, noise_variance), downsampling)


def add_noise(images: Tensor, seeds: Sequence[int], variance: float) -> Tensor:
    """Adds normal noise, independent at each voxel, which follows from an image's seed alone.

    On another kind of device the same seed gives other noise. The result is not clipped to [0, 1].

    Args:
        images: (B, C, X, Y, Z) float32.
        seeds: one for each image.
        variance: of the noise, in squared units of the images.
    """
    noise = torch.empty_like(images)
    for of_image, seed in zip(noise, seeds, strict=True):
        of_image.normal_(generator=torch.Generator(images.device).manual_seed(seed))
    return images + variance**0.5 * noise


def coarsen(images: Tensor, factor: int) -> Tensor:
    """Gives each block of `factor`³ voxels the value of its first: nearest downsampling and back.

    Args:
        images: (…, X, Y, Z) of any size; the last blocks along an axis are cut where they reach
            out.
        factor: edge of a block, voxels.
    """
    x, y, z = images.shape[-3:]
    coarse = images[..., ::factor, ::factor, ::factor]
    for axis in (-3, -2, -1):
        coarse = coarse.repeat_interleave(factor, dim=axis)
    return coarse[..., :x, :y, :z]


def draw_channels(rng: np.random.Generator, features: int, rate: float) -> Tensor:
    """Draws which channels of the patch embedding are lost: rate x features of them, rounded down.

    Returns:
        (features,) bool, True where a channel is lost.
    """
    lost = torch.zeros(features, dtype=torch.bool)
    count = int(round(rate * features, 6))  # 0.29 x 100 is 29, not 28.999999999999996
    lost[torch.from_numpy(rng.permutation(features)[:count])] = True
    return lost


def check(noise_variance: float, downsampling: int, channel_drop_rate: float) -> None:
    """Refuses disruptions that are none.

    Raises:
        InputError: a number is out of range, or all three leave the image as it is.
    """
    if not noise_variance >= 0:
        raise InputError(f"noise_variance {noise_variance} is no variance; give 0 or more.")
    if not (downsampling >= 1 and downsampling == int(downsampling)):
        raise InputError(f"downsampling {downsampling} is no factor; give a whole number from 1.")
    if not 0 <= channel_drop_rate < 1:
        raise InputError(
            f"channel_drop_rate {channel_drop_rate} is no share; give one from 0 to below 1."
        )
    if noise_variance == 0 and downsampling == 1 and channel_drop_rate == 0:
        raise InputError(
            "nothing is disrupted; give noise_variance above 0, downsampling above 1 or "
            "channel_drop_rate above 0."
        )
