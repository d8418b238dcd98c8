# generated from common/data/dicom/geometry.py, do not edit: `make copies`
"""Checks that the slices of a series are evenly spaced on a line, and computes their step."""

from collections import Counter

import numpy as np

from .headers import TAGS
from .volume import RejectedError, check_slice_count

GAP_TOLERANCE_MM = 0.15  # positions may be written with one decimal
GAP_TOLERANCE = 0.05  # of the gap
# Of the largest gap to the smallest: a missing slice makes it 2, positions rounded to one decimal
# at most 1.67. Rounded positions of gaps below 0.2 mm, and of 0.2 or 0.3 mm where they lie between
# two decimals, cannot be told from missing slices.
GAP_RATIO = 1.7
LINE_TOLERANCE_MM = 1.0  # of a slice beside the line through the others
# of cosines and spacing, as in dicom2nifti's `validate_orientation`: a quarter of a pixel at
# the rim of 512 pixels
SAME_GRID = 1e-3
TILT_FROM_DEGREES = 0.1  # a third of a millimetre in 200


def normalize(vector: np.ndarray) -> np.ndarray:
    """Scales a vector to length 1."""
    return vector / np.linalg.norm(vector)


def has_geometry(item: dict) -> bool:
    """Tells whether position, orientation and spacing are present, finite and not degenerate."""
    return find_bad_geometry(item) is None


def find_bad_geometry(item: dict) -> str | None:
    """Returns the tag that is absent, not finite or degenerate; None if the geometry is whole."""
    for name, length in (("position", 3), ("orientation", 6), ("pixel_spacing", 2)):
        numbers = item[name] or []
        if len(numbers) != length or not np.isfinite(numbers).all():
            return TAGS[name]
    normal = np.cross(*np.reshape(item["orientation"], (2, 3)))
    if np.linalg.norm(normal) < 0.9:
        return TAGS["orientation"]
    return None if min(item["pixel_spacing"]) > 0 else TAGS["pixel_spacing"]


def shared_value(slices: list[dict], name: str) -> np.ndarray:
    """Returns the slices' median of the numbers of a tag, which rounding does not move."""
    return np.median([item[name] for item in slices], axis=0)


def plane_normal(slices: list[dict]) -> np.ndarray:
    """Returns the normal of the slices' plane, (3,), of length 1."""
    return normalize(np.cross(*shared_value(slices, "orientation").reshape(2, 3)))


def find_uneven_grid(slices: list[dict]) -> str | None:
    """Returns in words how orientation or pixel spacing differ by more than rounding, or None."""
    turned = _spread(slices, "orientation").max()
    if turned > SAME_GRID:
        return f"ImageOrientationPatient differs by up to {turned:.2g}"
    stretched = (_spread(slices, "pixel_spacing") / shared_value(slices, "pixel_spacing")).max()
    return f"PixelSpacing differs by up to {stretched:.2%}" if stretched > SAME_GRID else None


def has_rounding(slices: list[dict]) -> bool:
    """Tells whether orientation or pixel spacing are not the same in all slices."""
    return any(_spread(slices, name).any() for name in ("orientation", "pixel_spacing"))


def _spread(slices: list[dict], name: str) -> np.ndarray:
    """Returns the largest difference between the slices of each number of a tag."""
    return np.ptp([item[name] for item in slices], axis=0)


def drop_repeats(images: list[np.ndarray], heights: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Keeps one of equal slices at one height; returns the kept indices, and repairs in words.

    Args:
        images: in the order of their heights.
        heights: along the normal, mm.

    Raises:
        RejectedError: slices at one height differ: several phases, or several acquisitions.
    """
    is_first = np.append(True, np.diff(heights) > GAP_TOLERANCE_MM / 10)
    for number in np.flatnonzero(~is_first):
        if not np.array_equal(images[number], images[number - 1]):
            count = Counter(np.cumsum(is_first).tolist()).most_common(1)[0][1]
            raise RejectedError("several volumes in one", f"up to {count} slices at one position")
    repeats = np.count_nonzero(~is_first)
    repairs = [f"repeated slices left out: {repeats}"] if repeats else []
    return np.flatnonzero(is_first), repairs


def compute_step(positions: np.ndarray, normal: np.ndarray, least: int) -> np.ndarray:
    """Computes the step from one slice to the next.

    Args:
        positions: (Z, 3) mm, in order along the normal.
        normal: (3,), of length 1.
        least: slices that a volume needs.

    Returns:
        (3,) mm, along the normal unless the gantry was tilted.

    Raises:
        RejectedError: the slices are not evenly spaced on a line.
    """
    check_slice_count(len(positions), least)
    gaps = np.diff(positions @ normal)
    gap = np.median(gaps)
    tolerance = max(GAP_TOLERANCE_MM, GAP_TOLERANCE * gap)
    if (np.abs(gaps - gap) > tolerance).any() or gaps.max() > GAP_RATIO * gaps.min():
        multiples = np.rint(gaps / gap)
        is_multiple = (np.abs(gaps - multiples * gap) <= tolerance) & (multiples >= 1)
        if is_multiple.all() and multiples.max() > 1:
            raise RejectedError("missing slices", f"{int((multiples - 1).sum())} of {gap:.2f} mm")
        detail = f"{gaps.min():.2f} to {gaps.max():.2f} mm between slices"
        raise RejectedError("uneven spacing", detail)
    mean = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * mean
    distance = np.abs(positions - line).max()
    if distance > LINE_TOLERANCE_MM:
        raise RejectedError(
            "uneven spacing", f"slices lie up to {distance:.1f} mm beside their line"
        )
    tilt = np.degrees(np.arccos(min(1.0, normalize(mean) @ normal)))
    return mean if tilt >= TILT_FROM_DEGREES else normal * (mean @ normal)
