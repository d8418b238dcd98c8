"""Draws which blocks of a crop show how much of another crop, and fuses the two.

Drawing the blocks and fusing are separate functions, so that each can be tested exactly. The blocks
are those of the authors' later code (PyMIC, `transform/crop4vf.py`): one size for the whole crop,
on a grid. The paper's first version laid boxes of several sizes over each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...common.errors import InputError


@dataclass(frozen=True)
class Blocks:
    """Describes a grid of equal blocks in a crop, and how much of the foreground each shows.

    Args:
        edges: (3,) voxels of a block.
        offset: (3,) first voxel of the grid. What lies around the grid shows the background alone.
        levels: one for each block, (n, n, n) int64: 0 shows the background, K the foreground, k
            between them k / K of the foreground.
    """

    edges: np.ndarray
    offset: np.ndarray
    levels: np.ndarray


@dataclass(frozen=True)
class FusionSettings:
    """Holds the numbers by which blocks are drawn.

    Args:
        levels: K; there are K + 1 classes. 4 in the source.
        foreground_ratio: share of the blocks that show any foreground. 0.7 in the source.
        blocks_per_axis: a block's edge along an axis is at least the crop's edge divided by the
            second number and at most the crop's divided by the first, rounded down. With (3, 12) a
            crop of 96 voxels has edges of 8 to 32, the source's.

    Raises:
        InputError: a number out of range, or so few blocks that none may be foreground.
    """

    levels: int
    foreground_ratio: float
    blocks_per_axis: Sequence[int]

    def __post_init__(self) -> None:
        fewest, most = self.blocks_per_axis
        if not 1 <= self.levels <= 255:
            raise InputError(f"volume fusion with {self.levels} levels: give 1 to 255.")
        if not 1 <= fewest <= most:
            raise InputError(
                f"blocks_per_axis {[fewest, most]}: give two numbers from 1, the smaller first."
            )
        if not 1 / fewest**3 <= self.foreground_ratio <= 1:
            raise InputError(
                f"foreground_ratio {self.foreground_ratio}: give a share from {1 / fewest**3:.3g}, "
                f"one of {fewest**3} blocks, to 1."
            )


def draw_blocks(
    rng: np.random.Generator,
    shape: Sequence[int],
    patch_size: Sequence[int],
    settings: FusionSettings,
) -> Blocks:
    """Draws the blocks of a volume of `shape`; of a training crop, that is `patch_size` too."""
    fewest, most = settings.blocks_per_axis
    size, patch = np.array(shape), np.array(patch_size)
    edges = rng.integers(np.maximum(1, patch // most), np.maximum(1, patch // fewest) + 1)
    offset = rng.integers(size % edges + 1)
    grid = tuple(size // edges)
    levels = rng.integers(1, settings.levels + 1, size=np.prod(grid))
    n_foreground = int(settings.foreground_ratio * levels.size)
    levels[rng.permutation(levels.size)[n_foreground:]] = 0
    return Blocks(edges, offset, levels.reshape(grid))


def label_map(blocks: Blocks, shape: Sequence[int]) -> Tensor:
    """Computes the level of every voxel of a volume of `shape`: (X, Y, Z) uint8, on the CPU."""
    levels = blocks.levels.astype(np.uint8)
    for axis, edge in enumerate(blocks.edges):
        levels = levels.repeat(edge, axis)
    behind = np.array(shape) - blocks.offset - levels.shape
    return torch.from_numpy(np.pad(levels, list(zip(blocks.offset, behind))))


def fuse(foreground: Tensor, background: Tensor, labels: Tensor, levels: int) -> Tensor:
    """Computes a * foreground + (1 - a) * background with a = labels / levels.

    Args:
        foreground, background: (…, X, Y, Z) float32, finite.
        labels: integers 0 to `levels`; a shape that broadcasts with theirs.
        levels: K. A power of two makes every a exact.
    """
    share = labels / levels
    return share * foreground + (1 - share) * background
