"""Two corrupted views of a crop (paper section 3.2): a rotation about z and cutout.

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

from .command_line import InputError

BOX_SIZE = (0.05, 0.25)  # edge of a cutout box as a fraction of the crop's edge


@dataclass
class View:
    """What is done to one crop.

    Args:
        turns: quarter turns about z, 0 to 3; the label of the rotation task.
        dropped: (X, Y, Z) bool, True where voxels are replaced.
        donor: index in the batch of the crop that fills the dropped voxels; the crop's own index
            means uniform noise in [0, 1] instead.
        noise_seed: seed of that noise.
    """

    turns: int
    dropped: np.ndarray
    donor: int
    noise_seed: int


def draw_view(
    rng: np.random.Generator, shape: tuple[int, int, int], drop_rate: float, index: int, batch: int
) -> View:
    """Parameters of one view of crop `index` in a batch of `batch` crops of `shape`."""
    return View(
        turns=int(rng.integers(4)),
        dropped=draw_dropped(rng, shape, drop_rate),
        donor=int(rng.integers(batch)) if rng.random() < 0.5 else index,
        noise_seed=int(rng.integers(2**31)),
    )


def draw_dropped(rng: np.random.Generator, shape: tuple[int, ...], drop_rate: float) -> np.ndarray:
    """Random boxes until `drop_rate` of the voxels are covered; bool of `shape`.

    The covered fraction is at least `drop_rate` and exceeds it by less than one box (1.6 %).
    """
    dropped = np.zeros(shape, dtype=bool)
    smallest, largest = BOX_SIZE
    while dropped.mean() < drop_rate:
        edges = [max(1, int(rng.uniform(smallest, largest) * size)) for size in shape]
        starts = [int(rng.integers(size - edge + 1)) for size, edge in zip(shape, edges)]
        dropped[tuple(slice(a, a + edge) for a, edge in zip(starts, edges))] = True
    return dropped


def rotate(image: Tensor, turns: int) -> Tensor:
    """Turn (C, X, Y, Z) by `turns` quarter turns about z, from +x towards +y."""
    return torch.rot90(image, turns, dims=(1, 2))


def corrupt(image: Tensor, view: View, donor: Tensor | None) -> Tensor:
    """Replace the dropped voxels of (C, X, Y, Z) by the donor's at the same place, or by noise."""
    dropped = torch.from_numpy(view.dropped).to(image.device)
    if donor is None:
        generator = torch.Generator(image.device).manual_seed(view.noise_seed)
        donor = torch.rand(image.shape, generator=generator, device=image.device)
    return torch.where(dropped, donor, image)


def apply_views(images: Tensor, views: list[View]) -> tuple[Tensor, Tensor]:
    """One view of each crop.

    Args:
        images: (B, C, X, Y, Z) in [0, 1], X equal to Y.
        views: B views.

    Returns:
        The corrupted rotated crops and the uncorrupted rotated crops, both (B, C, X, Y, Z).
    """
    rotated = [rotate(image, view.turns) for image, view in zip(images, views)]
    corrupted = [
        corrupt(image, view, None if view.donor == i else images[view.donor])
        for i, (image, view) in enumerate(zip(rotated, views))
    ]
    return torch.stack(corrupted), torch.stack(rotated)


class TwoViews(PrepareBatch):
    """`prepare_batch` of the trainer: two views of every crop, side by side in one batch.

    Args:
        drop_rate: share of the voxels replaced in each view; 0.3 in the paper.
        seed: of the draws. Ranks must differ in it, or they draw the same views.
        is_fixed: validation: draw by the crop's `index` in its dataset, so that every pass sees the
            same views and "best" means something.

    Raises:
        InputError: crops whose x and y differ in size cannot be turned about z.

    Returns (of a call):
        inputs (2B, 1, X, Y, Z), the first views of all crops and then their second views; and
        targets: `rotation` (2B,) quarter turns, `reconstruction` (2B, 1, X, Y, Z).
    """

    def __init__(self, drop_rate: float, seed: int, is_fixed: bool = False) -> None:
        self.drop_rate, self.seed, self.is_fixed = drop_rate, seed, is_fixed
        self.rng = np.random.default_rng(seed)

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        images = batchdata["image"].as_tensor().to(device, non_blocking=non_blocking, **kwargs)
        batch, shape = len(images), tuple(images.shape[2:])
        if shape[0] != shape[1]:
            raise InputError(f"patch_size {list(shape)}: x and y must be equal to turn about z.")
        views = []
        for i in [*range(batch), *range(batch)]:
            if self.is_fixed:
                is_second = int(len(views) >= batch)
                self.rng = np.random.default_rng([self.seed, int(batchdata["index"][i]), is_second])
            views.append(draw_view(self.rng, shape, self.drop_rate, i, batch))
        first, second = apply_views(images, views[:batch]), apply_views(images, views[batch:])
        targets = {
            "rotation": torch.tensor([view.turns for view in views], device=device),
            "reconstruction": torch.cat([first[1], second[1]]),
        }
        return torch.cat([first[0], second[0]]), targets


class Cutoutd(MapTransform):
    """Cutout with noise on whole volumes (C, X, Y, Z), to look at what a network restores.

    The same volume always loses the same boxes.
    """

    def __init__(self, keys, drop_rate: float, seed: int) -> None:
        super().__init__(keys)
        self.drop_rate, self.seed = drop_rate, seed

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data):
            image, rng = data[key], np.random.default_rng(self.seed)
            view = View(0, draw_dropped(rng, image.shape[1:], self.drop_rate), 0, self.seed)
            data[key] = corrupt(image, view, donor=None)
        return data
