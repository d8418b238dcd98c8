# generated from common/evaluation/surface_distance.py, do not edit: `make copies`
"""Computes normalised surface Dice (NSD) and HD95 (mm) of two masks by surface distances.

Definitions are those of Nikolov et al. 2018 (arXiv:1809.04430) and of DeepMind's package
surface-distance, whose results are the same. A mask's surface passes between voxels. Around each
corner where eight voxels meet, of which some but not all are inside, lies one surface element. Its
area follows from the set of voxels inside and from the spacing. The table of areas and the search
for the nearest element are MONAI's.

MONAI's `compute_surface_dice(use_subvoxels=True)` gives the same NSD, but where one stray voxel
made the box 512 x 512 x 150 it took 20 s and 6.6 GB for one organ, this module 1.5 s and 0.9 GB.
MONAI's `compute_hausdorff_distance` has another HD95: each voxel at the edge counts once, whatever
its area, and distances go from voxel to voxel.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from monai.metrics import get_surface_distance
from monai.metrics.utils import create_table_neighbour_code_to_surface_area

# Headers hold spacing with seven digits; a distance of exactly the tolerance must not depend on it.
ROUNDING_MM = 1e-4


class Surface(NamedTuple):
    """Holds a surface's elements: (n,) mm to the other surface's nearest, and (n,) areas in mm²."""

    distances: np.ndarray
    areas: np.ndarray


def surfaces(
    prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]
) -> tuple[Surface, Surface]:
    """Finds the surface elements of prediction and reference, with distance and area.

    Args:
        prediction, reference: (X, Y, Z) bool, neither empty; voxels beyond the arrays are outside.
        spacing_mm: distance of neighbouring voxels along each axis.
    """
    spacing_mm = [float(mm) for mm in spacing_mm]
    table, bits = create_table_neighbour_code_to_surface_area(spacing_mm)
    codes = [neighbour_codes(mask, bits[0, 0].numpy()) for mask in (prediction, reference)]
    edges = [(code != 0) & (code != 255) for code in codes]
    pairs = [edges, edges[::-1]]
    return tuple(
        Surface(
            get_surface_distance(edge, other_edge, spacing=spacing_mm),
            table.numpy()[code[edge]].astype(np.float64),
        )
        for code, (edge, other_edge) in zip(codes, pairs)
    )


def neighbour_codes(mask: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Codes which of the eight voxels around each corner are inside: 0 for none, 255 for all.

    Args:
        mask: (X, Y, Z) bool.
        bits: (2, 2, 2), the power of two of each of the eight voxels.

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
    """Computes the share of both surfaces, by area, within the tolerance of the other: 0 to 1."""
    within = sum(
        surface.areas[surface.distances <= tolerance_mm + ROUNDING_MM].sum() for surface in pair
    )
    return float(within / sum(surface.areas.sum() for surface in pair))


def hd95(pair: tuple[Surface, Surface]) -> float:
    """Computes the robust Hausdorff distance in mm: 95 % of each surface's area is as close."""
    return max(_percentile(surface, 0.95) for surface in pair)


def _percentile(surface: Surface, share: float) -> float:
    """Finds the least distance in mm within which a share (0 to 1) of the surface's area lies."""
    order = np.argsort(surface.distances)
    area = np.cumsum(surface.areas[order])
    position = np.searchsorted(area, share * area[-1])
    return float(surface.distances[order[min(position, len(order) - 1)]])
