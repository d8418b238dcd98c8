"""Draws the boxes of cutout until enough is covered, and marks the voxels inside."""

import numpy as np
import torch
from torch import Tensor

BOX_SIZE = (0.05, 0.25)  # edge of a box as a fraction of the crop's edge


def draw_boxes(rng: np.random.Generator, shape: tuple[int, ...], drop_rate: float) -> np.ndarray:
    """Draws random boxes until `drop_rate` of the voxels are covered: (N, 2, 3), as in `View`.

    The covered fraction is at least `drop_rate` and exceeds it by less than one box (1.6 %).
    """
    covered, n_covered = np.zeros(shape, dtype=bool), 0
    size, boxes = np.array(shape), []
    while n_covered < drop_rate * covered.size:
        edge = np.maximum(1, (rng.uniform(*BOX_SIZE, size=3) * size).astype(int))
        first = rng.integers(size - edge + 1)
        boxes.append((first, first + edge))
        box = covered[tuple(map(slice, *boxes[-1]))]
        n_covered += box.size - np.count_nonzero(box)
        box[...] = True
    return np.array(boxes, dtype=np.int64).reshape(-1, 2, 3)


def dropped_voxels(
    boxes: list[np.ndarray], shape: tuple[int, int, int], device: torch.device | str
) -> Tensor:
    """Marks the voxels that lie in the boxes of each view: (B, X, Y, Z) bool.

    Each corner of a box holds +1 or -1. The running sums of these along x, y and z are one inside
    the box. So one scatter and three sums serve all boxes of all views.
    """
    number = np.concatenate([np.full(len(of_view), i) for i, of_view in enumerate(boxes)])
    bounds, ends = np.concatenate(boxes), np.indices((2, 2, 2)).reshape(3, 8)
    corners = bounds[:, ends, np.arange(3)[:, None]]  # (N, 3, 8)
    signs = np.tile((-1) ** ends.sum(axis=0), (len(bounds), 1)).astype(np.int32)
    at = [np.repeat(number, 8), *corners.transpose(1, 0, 2).reshape(3, -1)]
    at = [torch.from_numpy(np.ascontiguousarray(axis)).to(device) for axis in at]
    counts = torch.zeros(len(boxes), *(n + 1 for n in shape), dtype=torch.int32, device=device)
    counts.index_put_(at, torch.from_numpy(signs.ravel()).to(device), accumulate=True)
    for axis in (1, 2, 3):
        counts = counts.cumsum(axis, dtype=torch.int32)
    return counts[:, :-1, :-1, :-1] > 0
