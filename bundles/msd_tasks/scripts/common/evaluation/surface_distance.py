# generated from common/evaluation/surface_distance.py, do not edit: `make copies`
"""Distances between the surfaces of two masks, in mm: normalised surface Dice (NSD) and HD95.

Definitions are those of Nikolov et al. 2018 (arXiv:1809.04430) and of DeepMind's package
surface-distance, with which the figures agree. A mask's surface passes between voxels: around each
corner where eight voxels meet, of which some but not all are inside, lies one surface element. Its
area follows from which ones are inside and from the spacing. The table of areas and the search for
the nearest element are MONAI's. Its `compute_surface_dice(use_subvoxels=True)` gives the same NSD,
but where one stray voxel made the box 512 x 512 x 150 it took 20 s and 6.6 GB for one organ, this
1.5 s and 0.9 GB. MONAI's `compute_hausdorff_distance` has another HD95: each voxel at the edge
counts once, whatever its area, and distances go from voxel to voxel.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from monai.metrics import get_surface_distance
from monai.metrics.utils import create_table_neighbour_code_to_surface_area

# Headers hold spacing with seven digits; a distance of exactly the tolerance must not depend on it.
ROUNDING_MM = 1e-4


class Surface(NamedTuple):
    """Elements of one surface: mm to the nearest element of the other one, and areas in mm²."""

    distances: np.ndarray
    areas: np.ndarray


def surfaces(
    prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]
) -> tuple[Surface, Surface]:
    """The surface of the prediction and that of the reference.

    Args:
        prediction, reference: (X, Y, Z) bool, neither empty; what lies beyond them is outside.
        spacing_mm: distance of neighbouring voxels along each axis.
    """
    spacing_mm = [float(mm) for mm in spacing_mm]
    table, bits = create_table_neighbour_code_to_surface_area(spacing_mm)
    codes = [neighbour_codes(mask, bits[0, 0].numpy()) for mask in (prediction, reference)]
    edges = [(code != 0) & (code != 255) for code in codes]
    pairs = [edges, edges[::-1]]
    return tuple(
        Surface(
            get_surface_distance(own, other, spacing=spacing_mm),
            table.numpy()[code[own]].astype(np.float64),
        )
        for code, (own, other) in zip(codes, pairs)
    )


def neighbour_codes(mask: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Which of the eight voxels around each corner are inside: 0 none of them, 255 all.

    Args:
        mask: (X, Y, Z) bool.
        bits: (2, 2, 2), the power of two of each of the eight.

    Returns:
        (X + 1, Y + 1, Z + 1) uint8, with the corners on the outer faces.
    """
    inside = np.pad(mask, 1).view(np.uint8)
    shape = [size + 1 for size in mask.shape]
    codes = np.zeros(shape, np.uint8)
    for at in np.ndindex(2, 2, 2):
        voxels = inside[tuple(slice(start, start + size) for start, size in zip(at, shape))]
        codes |= voxels * np.uint8(bits[at])
    return codes


def nsd(pair: tuple[Surface, Surface], tolerance_mm: float) -> float:
    """Share of both surfaces, by area, that lies within the tolerance of the other one: 0 to 1."""
    within = sum(
        surface.areas[surface.distances <= tolerance_mm + ROUNDING_MM].sum() for surface in pair
    )
    return float(within / sum(surface.areas.sum() for surface in pair))


def hd95(pair: tuple[Surface, Surface]) -> float:
    """Robust Hausdorff distance in mm: 95 % of either surface, by area, lies no farther off."""
    return max(_percentile(surface, 0.95) for surface in pair)


def _percentile(surface: Surface, share: float) -> float:
    """The least distance within which this share of the surface's area lies."""
    order = np.argsort(surface.distances)
    area = np.cumsum(surface.areas[order])
    position = np.searchsorted(area, share * area[-1])
    return float(surface.distances[order[min(position, len(order) - 1)]])
