"""Fuses crops of a training, and whole volumes of an inference.

Foreground and background of a fusion are two crops of one volume, as in the authors' later code:
nothing but their anatomy tells them apart, while two patients' crops would differ by scanner and
noise too. A fusion depends on the crops of its volume alone, so it is the same at any place in a
batch and however a batch is spread over processes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from monai.engines import PrepareBatch
from monai.transforms import MapTransform
from torch import Tensor

from ...common.data.seeded_dataset import seeded_rng
from ...common.errors import InputError
from .fusion import FusionSettings, draw_blocks, fuse, label_map

BLOCKS, FLIPS = 0, 1  # last part of the keys of draws


def draw_flips(rng: np.random.Generator) -> list[int]:
    """Draws the axes of a (C, X, Y, Z) crop to mirror, each with probability 1/2."""
    return [axis + 1 for axis in range(3) if rng.random() < 0.5]


class FuseCrops(PrepareBatch):
    """Fuses each crop with the next one of its volume, the last with the first.

    Each crop is foreground once and background once. Both are mirrored at random beforehand, so
    that crops of a small volume that show the same voxels rarely are equal.

    Args:
        settings: of the blocks.
        crops_per_item: crops of a volume, which lie side by side in a batch.
        seed: of the draws.

    Raises:
        InputError: a volume has a single crop.

    Returns (of a call):
        The fused crops (B, 1, X, Y, Z) and the targets: `labels` (B, 1, X, Y, Z) int64, 0 to K, and
        `difference`, |foreground - background|, of the same shape.
    """

    def __init__(self, settings: FusionSettings, crops_per_item: int, seed: int) -> None:
        if crops_per_item < 2:
            raise InputError(
                f"crops_per_item {crops_per_item}: a crop is fused with another of its volume; "
                "give 2 or more."
            )
        self.settings, self.crops_per_item, self.seed = settings, crops_per_item, seed

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor().to(device, non_blocking=non_blocking, **kwargs)
        draws = batchdata["draw"].tolist()
        labels = torch.stack([self.draw_labels(draw, images.shape[2:]) for draw in draws])
        labels = labels[:, None].to(images.device)
        foreground = torch.stack([self.flip(crop, draw) for crop, draw in zip(images, draws)])
        of_volumes = foreground.unflatten(0, (-1, self.crops_per_item))
        background = of_volumes.roll(-1, dims=1).flatten(0, 1)
        fused = fuse(foreground, background, labels, self.settings.levels)
        difference = (foreground - background).abs()
        return fused, {"labels": labels.long(), "difference": difference}

    def draw_labels(self, draw: list[int], shape: tuple[int, ...]) -> Tensor:
        """Draws the labels (X, Y, Z) of the crop with this `draw`."""
        rng = seeded_rng(self.seed, *draw, BLOCKS)
        return label_map(draw_blocks(rng, shape, shape, self.settings), shape)

    def flip(self, crop: Tensor, draw: list[int]) -> Tensor:
        """Mirrors the crop (C, X, Y, Z) with this `draw` along random axes."""
        return crop.flip(draw_flips(seeded_rng(self.seed, *draw, FLIPS)))


class FuseWithMirroredd(MapTransform):
    """Fuses a whole volume with itself, mirrored along all axes, to show what the network sees.

    The same shape always gets the same blocks. Adds `fusion_map`, the true share of the unmirrored
    volume at each voxel, (1, X, Y, Z) in [0, 1].

    Args:
        keys: one, of volumes (1, X, Y, Z) in [0, 1].
        settings: of the blocks.
        patch_size: of the training's crops, by which the blocks are measured.
        seed: of the draw.
    """

    def __init__(
        self, keys, settings: FusionSettings, patch_size: Sequence[int], seed: int
    ) -> None:
        super().__init__(keys)
        (self.key,) = self.keys
        self.settings, self.patch_size, self.seed = settings, patch_size, seed

    def __call__(self, data):
        image, shape = data[self.key], data[self.key].shape[1:]
        blocks = draw_blocks(seeded_rng(self.seed), shape, self.patch_size, self.settings)
        labels = label_map(blocks, shape)[None].to(image.device)
        fused = fuse(image, image.flip([1, 2, 3]), labels, self.settings.levels)
        return {**data, self.key: fused, "fusion_map": labels / self.settings.levels}
