"""Disrupts crops of a training, and whole volumes of an inference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from monai.engines import PrepareBatch
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_tensor
from torch import Tensor

from ...common.data.seeded_dataset import seeded_rng
from .disruptions import CHANNELS, NOISE, check, disrupt, draw_channels


@dataclass(frozen=True)
class DisruptedCrops:
    """Holds what the network gets in training and validation.

    Args:
        image: (B, 1, X, Y, Z), disrupted.
        lost: (B, F) bool, the channels of the patch embedding that each crop loses.
    """

    image: Tensor
    lost: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        """Yields the crops alone, which TensorBoard's pictures show."""
        return iter(self.image)


def draw_noise_seed(rng: np.random.Generator) -> int:
    """Draws a seed of noise."""
    return int(rng.integers(2**31))


class DisruptCrops(PrepareBatch):
    """Disrupts every crop; the engines' `prepare_batch`.

    Noise and lost channels follow from the seed and the crop's `draw` (see `SeededCacheDataset`)
    alone, so that they are the same at any place in a batch. In the official code all crops of a
    batch lose the same channels.

    Args:
        noise_variance: in squared units of the images; 0.1 in the source, 0 for no noise.
        downsampling: see `disruptions.coarsen`; 4 in the source, 1 for none.
        channel_drop_rate: share of the patch embedding's channels that is lost; 0.6 in the source.
        features: how many channels the patch embedding has.
        seed: of the draws.

    Raises:
        InputError: see `disruptions.check`.

    Returns (of a call):
        inputs: `DisruptedCrops`; and targets: `reconstruction`, the crops, and `disrupted`, what
        the network sees of them, both (B, 1, X, Y, Z).
    """

    crops_stay_in_place = True  # see `position.wrap`

    def __init__(
        self,
        noise_variance: float,
        downsampling: int,
        channel_drop_rate: float,
        features: int,
        seed: int,
    ) -> None:
        check(noise_variance, downsampling, channel_drop_rate)
        self.noise_variance, self.downsampling = noise_variance, downsampling
        self.channel_drop_rate, self.features, self.seed = channel_drop_rate, features, seed

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor().to(device, non_blocking=non_blocking, **kwargs)
        draws = batchdata["draw"].tolist()
        seeds = [draw_noise_seed(seeded_rng(self.seed, *draw, NOISE)) for draw in draws]
        lost = [
            draw_channels(
                seeded_rng(self.seed, *draw, CHANNELS), self.features, self.channel_drop_rate
            )
            for draw in draws
        ]
        disrupted = disrupt(images, seeds, self.noise_variance, self.downsampling)
        inputs = DisruptedCrops(disrupted, torch.stack(lost).to(images.device))
        return inputs, {"reconstruction": images, "disrupted": disrupted}


class Disruptd(MapTransform):
    """Disrupts whole volumes (C, X, Y, Z), to show how the network restores them.

    The channels are lost in the network. Volumes of the same size always get the same noise.

    Args:
        keys: of the volumes.
        noise_variance, downsampling, seed: see `DisruptCrops`.
    """

    def __init__(self, keys, noise_variance: float, downsampling: int, seed: int) -> None:
        super().__init__(keys)
        self.noise_variance, self.downsampling, self.seed = noise_variance, downsampling, seed

    def __call__(self, data):
        data, seed = dict(data), draw_noise_seed(seeded_rng(self.seed, NOISE))
        for key in self.key_iterator(data):
            image = convert_to_tensor(data[key], track_meta=False)[None]
            disrupted = disrupt(image, [seed], self.noise_variance, self.downsampling)[0]
            data[key] = convert_to_dst_type(disrupted, data[key])[0]
        return data
