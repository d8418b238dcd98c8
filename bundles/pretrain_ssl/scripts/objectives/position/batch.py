"""Adds the place of each crop in its volume to the targets of an objective."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from monai.engines import PrepareBatch
from torch import Tensor

POINTS = 9  # the centre and eight corners
SIZE = 3 * POINTS  # of a target


def points_of(box: Tensor, volume_shape: Tensor) -> Tensor:
    """Computes centre and corners of crops as shares of their volumes' edges.

    Of a crop that reaches over an edge, the part inside the volume counts.

    Args:
        box: (B, 2, 3), the first voxel and the one after the last.
        volume_shape: (B, 3), voxels.

    Returns:
        (B, 27) float32 in [0, 1]: x, y, z of the centre, and of each corner, z changing first.
    """
    shares = (box / volume_shape[:, None]).clamp(0, 1).float()
    ends = [
        torch.stack([shares[:, end, axis] for axis, end in enumerate(corner)], dim=1)
        for corner in product((0, 1), repeat=3)
    ]
    return torch.stack([shares.mean(dim=1), *ends], dim=1).flatten(1)


class PositionBatch(PrepareBatch):
    """Adds `position` and `volume_mm` to an objective's targets; the engines' `prepare_batch`.

    Args:
        prepare_batch: the objective's own; its targets are a dictionary.
        spacing_mm: of a voxel, x, y, z.

    Returns (of a call):
        the objective's inputs as they are; and its targets with `position`, (B, 27) of `points_of`,
        and `volume_mm`, (B, 3), the edges of each crop's volume.
    """

    def __init__(self, prepare_batch: Callable, spacing_mm: Sequence[float]) -> None:
        self.prepare_batch, self.spacing_mm = prepare_batch, torch.tensor(spacing_mm)

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        inputs, target = self.prepare_batch(batchdata, device, non_blocking, **kwargs)
        shape = torch.as_tensor(batchdata["volume_shape"])
        added = {
            "position": points_of(torch.as_tensor(batchdata["box"]), shape),
            "volume_mm": (shape * self.spacing_mm).float(),
        }
        return inputs, target | {name: value.to(device) for name, value in added.items()}
