"""Hides units of a crop: boxes of one size that tile it, a share of which is drawn.

A hidden voxel gets the value `HIDDEN`, which no image has: images lie in [0, 1], and one with a
value below 0 is refused. So a crop and the places to restore are one tensor, in training as in a
sliding window over a volume.
"""

from collections.abc import Sequence
from math import ceil, prod

import numpy as np
import torch
from monai.engines import PrepareBatch
from monai.transforms import MapTransform
from torch import Tensor

from ...common.data.seeded_dataset import seeded_rng
from ...common.errors import InputError
from .refusals import Ratio, check_units, check_visible

HIDDEN = -1.0


def draw_units(rng: np.random.Generator, grid: Sequence[int], ratio: Ratio) -> np.ndarray:
    """Draws which units are hidden: the first ceil(ratio x units) of a permutation.

    Args:
        grid: units along each axis.
        ratio: share of the units; of a pair [low, high] the share is drawn first.

    Returns:
        Bool of shape `grid`.
    """
    share = rng.uniform(*ratio) if isinstance(ratio, Sequence) else ratio
    hidden = np.zeros(prod(grid), dtype=bool)
    hidden[rng.permutation(hidden.size)[: _count(share, hidden.size)]] = True
    return hidden.reshape(grid)


def hidden_voxels(units: Tensor, unit: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Enlarges units to voxels: (B, …) bool, one value a unit, to (B, 1, X, Y, Z).

    Args:
        units: (B, x, y, z) that cover the crop.
        unit: edges of a unit, voxels; the last ones along an axis are cut where they reach out.
        shape: (X, Y, Z) of the crop.
    """
    for axis, edge in enumerate(unit, start=1):
        units = units.repeat_interleave(edge, dim=axis)
    return units[:, None, : shape[0], : shape[1], : shape[2]]


def grid_of(shape: Sequence[int], unit: Sequence[int]) -> tuple[int, ...]:
    """Counts the units that cover a crop along each axis."""
    return tuple(-(-size // edge) for size, edge in zip(shape, unit, strict=True))


class HideUnits(PrepareBatch):
    """Hides units of every crop; the engines' `prepare_batch`.

    Which ones follows from the seed and the crop's `draw` (see `SeededCacheDataset`) alone.

    Args:
        ratio: share of the units, 0.7 or a pair [0.6, 0.9] of which each crop draws its own.
        unit: edges of a unit, voxels, even: [16, 16, 16]; [X, Y, 16] of a crop makes slabs.
        seed: of the draws.

    Raises:
        InputError: see `check_units`; on a call, the ratio hides all units of a crop, or a crop has
            values below 0.

    Returns (of a call):
        inputs (B, 1, X, Y, Z) with `HIDDEN` in the hidden voxels; and targets: `reconstruction`,
        the crops, and `hidden`, bool, both (B, 1, X, Y, Z).
    """

    crops_stay_in_place = True  # see `position.wrap`

    def __init__(self, ratio: Ratio, unit: Sequence[int], seed: int) -> None:
        check_units(ratio, unit)
        self.ratio, self.unit, self.seed = ratio, tuple(unit), seed

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor()
        check_visible(images, "a crop of a batch")  # where it lies: on a GPU this would wait for it
        images = images.to(device, non_blocking=non_blocking, **kwargs)
        shape = tuple(images.shape[2:])
        grid = grid_of(shape, self.unit)
        highest = self.ratio[-1] if isinstance(self.ratio, Sequence) else self.ratio
        if _count(highest, prod(grid)) == prod(grid):
            raise InputError(
                f"mask_ratio {self.ratio} hides all {prod(grid)} units of a crop of {list(shape)} "
                "voxels; give a smaller ratio or mask_unit."
            )
        draws = batchdata["draw"].tolist()
        units = [draw_units(seeded_rng(self.seed, *draw, 0), grid, self.ratio) for draw in draws]
        units = torch.from_numpy(np.stack(units)).to(images.device)
        hidden = hidden_voxels(units, self.unit, shape)
        return images.masked_fill(hidden, HIDDEN), {"reconstruction": images, "hidden": hidden}


class HideUnitsd(MapTransform):
    """Hides units of whole volumes (C, X, Y, Z), to show how the network restores them.

    The same volume always loses the same units.

    Raises:
        InputError: see `check_units`; on a call, a volume has values below 0.
    """

    def __init__(self, keys, ratio: Ratio, unit: Sequence[int], seed: int) -> None:
        super().__init__(keys)
        check_units(ratio, unit)
        self.ratio, self.unit, self.seed = ratio, tuple(unit), seed

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data):
            name = getattr(data[key], "meta", {}).get("filename_or_obj", "an image")
            check_visible(data[key], name)
            shape = data[key].shape[1:]
            units = draw_units(seeded_rng(self.seed), grid_of(shape, self.unit), self.ratio)
            hidden = hidden_voxels(torch.from_numpy(units)[None], self.unit, shape)[0]
            data[key] = data[key].masked_fill(hidden.to(data[key].device), HIDDEN)
        return data


def _count(share: float, units: int) -> int:
    return ceil(round(share * units, 6))  # 0.7 x 30 is 21, not 21.000000000000004
