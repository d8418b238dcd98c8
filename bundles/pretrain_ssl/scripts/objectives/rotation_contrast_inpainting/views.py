"""Makes two corrupted views of a crop (paper section 3.2): a rotation about z and cutout.

Drawing the parameters and applying them are separate functions, so that each can be tested
exactly. Departures from the official script: rotation is about the z axis as the paper says (the
script turns the last two of (C, X, Y, Z)), the dropping rate bounds the whole view (the script
applies it twice), and donor crops are taken before any corruption.
"""

from dataclasses import dataclass

import numpy as np
import torch
from monai.engines import PrepareBatch
from monai.transforms import MapTransform
from torch import Tensor

from ...common.data.seeded_dataset import seeded_rng
from ...common.errors import InputError
from .cutout import draw_boxes, dropped_voxels
from .donors import DONOR_GROUP, find_donors


@dataclass
class View:
    """Describes how one crop is turned and which of its voxels are replaced.

    Args:
        turns: quarter turns about z, 0 to 3; the label of the rotation task.
        boxes: (N, 2, 3) voxels, the first and the one after the last of each box whose voxels are
            replaced.
        donor: index in the batch (of all processes) of the crop that fills the dropped voxels; the
            crop's own index means uniform noise in [0, 1] instead.
        noise_seed: seed of that noise.
    """

    turns: int
    boxes: np.ndarray
    donor: int
    noise_seed: int


def draw_view(
    rng: np.random.Generator, shape: tuple[int, int, int], drop_rate: float, index: int, batch: int
) -> View:
    """Draws the parameters of one view of crop `index` in a batch of `batch` crops of `shape`."""
    turns, boxes = int(rng.integers(4)), draw_boxes(rng, shape, drop_rate)
    first = index - index % DONOR_GROUP
    donor = int(rng.integers(first, min(first + DONOR_GROUP, batch)))
    is_noise = rng.random() < 0.5
    return View(turns, boxes, index if is_noise else donor, int(rng.integers(2**31)))


def rotate(images: Tensor, turns: list[int]) -> Tensor:
    """Turns each of (B, C, X, Y, Z) by its quarter turns about z, from +x towards +y."""
    rotated = torch.empty_like(images)
    for quarter in range(4):
        chosen = [i for i, turn in enumerate(turns) if turn == quarter]
        rotated[chosen] = torch.rot90(images[chosen], quarter, dims=(2, 3))
    return rotated


def corrupt(images: Tensor, views: list[View], donors: Tensor, first: int = 0) -> Tensor:
    """Replaces the dropped voxels of (B, C, X, Y, Z) by those of the views' donors, or by noise.

    Args:
        images: the crops.
        views: B views.
        donors: (N, C, X, Y, Z), all crops that the views' `donor` counts.
        first: index of the first crop among them.
    """
    dropped = dropped_voxels([view.boxes for view in views], images.shape[2:], images.device)
    filling = donors[[view.donor for view in views]]
    for i, view in enumerate(views):
        if view.donor == first + i:
            generator = torch.Generator(images.device).manual_seed(view.noise_seed)
            filling[i].uniform_(generator=generator)
    return torch.where(dropped[:, None], filling, images)


def apply_views(
    images: Tensor, views: list[View], donors: Tensor | None = None, first: int = 0
) -> tuple[Tensor, Tensor]:
    """Makes one view of each crop.

    Args:
        images: (B, C, X, Y, Z) in [0, 1], X equal to Y.
        views: B views.
        donors, first: see `corrupt`; by default the images themselves.

    Returns:
        The corrupted rotated crops and the uncorrupted rotated crops, both (B, C, X, Y, Z).
    """
    rotated = rotate(images, [view.turns for view in views])
    return corrupt(rotated, views, images if donors is None else donors, first), rotated


class TwoViews(PrepareBatch):
    """Makes two views of every crop, side by side in one batch; the engines' `prepare_batch`.

    A view follows from the seed, the crop's `draw` (see `SeededCacheDataset`) and its group of four
    alone, so that those of the validation are the same in every pass and "best" means something,
    and those of a training do not depend on the number of processes.

    Args:
        drop_rate: share of the voxels replaced in each view; 0.3 in the paper.
        seed: of the draws.

    Raises:
        InputError: a `drop_rate` not in [0, 1); crops whose x and y differ in size, which cannot
            be turned about z.

    Returns (of a call):
        inputs (2B, 1, X, Y, Z), the first views of all crops and then their second views; and
        targets: `rotation` (2B,) quarter turns, `reconstruction` (2B, 1, X, Y, Z).
    """

    def __init__(self, drop_rate: float, seed: int) -> None:
        if not 0 <= drop_rate < 1:
            raise InputError(f"drop_rate {drop_rate} is not a share; give one from 0 to below 1.")
        self.drop_rate, self.seed = drop_rate, seed

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor().to(device, non_blocking=non_blocking, **kwargs)
        batch, shape = len(images), tuple(images.shape[2:])
        if shape[0] != shape[1]:
            raise InputError(f"patch_size {list(shape)}: x and y must be equal to turn about z.")
        draws, (donors, first, whole) = batchdata["draw"].tolist(), find_donors(images, batchdata)
        views = [
            draw_view(seeded_rng(self.seed, *draw, which), shape, self.drop_rate, first + i, whole)
            for which in range(2)
            for i, draw in enumerate(draws)
        ]
        pairs = [
            apply_views(images, part, donors, first) for part in (views[:batch], views[batch:])
        ]
        targets = {
            "rotation": torch.tensor([view.turns for view in views], device=device),
            "reconstruction": torch.cat([rotated for _, rotated in pairs]),
        }
        return torch.cat([corrupted for corrupted, _ in pairs]), targets


class Cutoutd(MapTransform):
    """Fills boxes of whole volumes (C, X, Y, Z) with noise, to show the network's repair.

    The same volume always loses the same boxes.
    """

    def __init__(self, keys, drop_rate: float, seed: int) -> None:
        super().__init__(keys)
        self.drop_rate, self.seed = drop_rate, seed

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data):
            image = data[key]
            boxes = draw_boxes(seeded_rng(self.seed), image.shape[1:], self.drop_rate)
            view = View(turns=0, boxes=boxes, donor=0, noise_seed=self.seed)
            data[key] = corrupt(image[None], [view], donors=image[None])[0]
        return data
