"""Checks that a volume is a CT in Hounsfield units that shows a body.

Nobody looks at a large archive, so the checks compare voxels with the claims of headers. The rules
are written for the defects of real archives: grey levels, label maps, windowed exports, rescale
tags lost on the way.
"""

import numpy as np

from ..common.data.dicom.volume import RejectedError, Volume, check_slice_count

MIN_EXTENT_MM = 40
MAX_EXTENT_MM = 3000
SAMPLE = 2_000_000  # voxels that the rules look at, of a regular grid
AIR_HU = (-1100, -900)
LEAST_AIR = 0.001  # of the voxels
SOFT_TISSUE_HU = (-200, 300)
LEAST_SOFT_TISSUE = 0.2  # of the voxels above -500 HU
LEAST_BODY = 0.01  # of the voxels
MIN_SLICES = 16
LEAST_BODY_ML = 30
FEW_VALUES = 256  # label maps and 8-bit pictures have no more
FAT_HU = -30  # the darkest hundredth of a body without air reaches below


def check_size(volume: Volume) -> None:
    """Raises RejectedError for too few voxels, too small an extent, or an impossible one."""
    shape, extent = volume.values.shape, volume.values.shape * volume.spacing_mm
    size = " x ".join(f"{mm:.0f}" for mm in extent)
    check_slice_count(min(shape), MIN_SLICES)
    if min(extent) < MIN_EXTENT_MM:
        raise RejectedError("too small", f"{size} mm, at least {MIN_EXTENT_MM} are needed")
    if max(extent) > MAX_EXTENT_MM:
        raise RejectedError("impossible size", f"{size} mm")


def check_hu(volume: Volume, body_above_hu: float) -> None:
    """Raises RejectedError for a volume that is no CT in HU, or shows no body."""
    stride = max(1, round((volume.values.size / SAMPLE) ** (1 / 3)))
    sample = volume.values[::stride, ::stride, ::stride]
    value_range = f"values from {sample.min():g} to {sample.max():g}"
    if sample.min() == sample.max():
        raise RejectedError("constant image", value_range)
    _check_below_air(sample)
    air, body = share(sample, *AIR_HU), np.mean(sample > body_above_hu)
    body_ml = body * volume.values.size * np.prod(volume.spacing_mm) / 1000
    if body < LEAST_BODY or body_ml < LEAST_BODY_ML:
        detail = f"{body:.2%} of the voxels are above {body_above_hu:g} HU, {value_range}"
        raise RejectedError("no body", detail)
    _check_levels(sample, value_range)
    if air < LEAST_AIR:
        _check_without_air(sample, value_range)
    soft = share(sample, *SOFT_TISSUE_HU) / body
    if soft < LEAST_SOFT_TISSUE:
        detail = f"{soft:.0%} of the body is soft tissue, {value_range}"
        raise RejectedError("wrong rescale tags", detail)


def share(values: np.ndarray, low: float, high: float) -> float:
    """Returns the share of values from low to high."""
    return float(np.mean((values >= low) & (values <= high)))


def _check_levels(sample: np.ndarray, value_range: str) -> None:
    """Rejects few different values: labels if neighbours are mostly equal, else grey levels."""
    levels = np.unique(sample)
    if len(levels) > FEW_VALUES:
        return
    pairs = sample[1:], sample[:-1]
    is_inside = (pairs[0] != levels[0]) | (pairs[1] != levels[0])
    same = np.mean(pairs[0][is_inside] == pairs[1][is_inside])
    is_whole = np.array_equal(levels, np.rint(levels))
    if is_whole and levels[0] >= 0 and same > 0.5:
        raise RejectedError("label map", f"{len(levels)} different values")
    raise RejectedError(
        "grey levels instead of HU", f"{len(levels)} different values, {value_range}"
    )


def _check_without_air(sample: np.ndarray, value_range: str) -> None:
    """Rejects a volume without air near -1000 HU, unless all of it lies inside a body."""
    values, counts = np.unique(sample, return_counts=True)
    has_background = counts.max() / sample.size > 0.05  # noise leaves no such share to one value
    is_tissue = share(sample, *SOFT_TISSUE_HU) > 0.9 and np.ptp(np.percentile(sample, (1, 99))) > 50
    if values[0] >= 0:
        raise RejectedError("grey levels instead of HU", f"{value_range}, nothing below 0")
    if has_background or not is_tissue or np.percentile(sample, 1) > FAT_HU:
        raise RejectedError("no air near -1000 HU", value_range)


def _check_below_air(sample: np.ndarray) -> None:
    """Rejects values below air, but for one: the padding of a round field of view."""
    below = sample[sample < AIR_HU[0]]
    if not below.size:
        return
    counts = np.unique(below, return_counts=True)[1]
    others = (below.size - counts.max()) / sample.size
    if others > 0.01:
        detail = f"{others:.0%} of the voxels below {AIR_HU[0]} HU"
        raise RejectedError("wrong rescale tags", detail)
