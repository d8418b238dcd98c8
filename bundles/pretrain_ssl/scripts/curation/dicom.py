"""A DICOM series as a volume: which slices, in which order, with which geometry.

The geometry is that of DICOM PS3.3, C.7.6.2.1.1; patient coordinates turn from LPS to RAS.
"""

import warnings
from collections import Counter
from pathlib import Path

import gdcm  # noqa: F401  pydicom decodes JPEG by it, and without it calls such slices damaged
import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from . import headers
from .outcome import Rejected, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MIN_SLICES = 16
GAP_TOLERANCE_MM = 0.1  # positions are written with few decimals
GAP_TOLERANCE = 0.05  # of the gap
LINE_TOLERANCE_MM = 1.0  # of a slice beside the line through the others
TILT_FROM_DEGREES = 0.1  # a third of a millimetre in 200
AIR_HU = -1024


def read_series(slices: list[dict]) -> Volume:
    """The volume of a series.

    Args:
        slices: as `headers.read` gives them, each with its `path`; every instance once.

    Raises:
        Rejected: no CT, or it cannot be put together without guessing.
    """
    check_series(slices)
    if slices[0]["frames"]:
        raise Rejected("multi-frame DICOM", "convert it to single frames or to NIfTI")
    positions = np.array([item["position"] for item in slices])
    across = np.array(slices[0]["orientation"]).reshape(2, 3)
    normal = np.cross(*across)
    normal /= np.linalg.norm(normal)
    order = np.argsort(positions @ normal, kind="stable")
    slices, positions = [slices[i] for i in order], positions[order]
    images = [pixels(item) for item in slices]
    repairs = []
    is_first = np.append(True, np.diff(positions @ normal) > GAP_TOLERANCE_MM / 10)
    if not is_first.all():
        images, positions = _without_repeats(images, positions, is_first)
        repairs.append(f"{int((~is_first).sum())} repeated slices left out")
    step = stacking_step(positions, normal)
    tilt = np.degrees(np.arccos(np.clip(step @ normal / np.linalg.norm(step), -1, 1)))
    if tilt < TILT_FROM_DEGREES:
        step = normal * (step @ normal)
    row_mm, column_mm = slices[0]["pixel_spacing"]
    affine = np.eye(4)
    affine[:3] = np.column_stack([across[0] * column_mm, across[1] * row_mm, step, positions[0]])
    values = np.stack(images).transpose(2, 1, 0)  # (Z, rows, columns) to (X, Y, Z)
    return Volume(values, LPS_TO_RAS @ affine, repairs)


def check_series(slices: list[dict]) -> None:
    """What the headers alone tell.

    Raises:
        Rejected: for the first reason found, the most telling first.
    """
    whole = [item for item in slices if "broken" not in item]
    first = whole[0]
    if headers.is_localizer(first):
        raise Rejected("localizer")
    if first["modality"] != "CT":
        raise Rejected("not CT", f"modality {first['modality'] or 'not given'}")
    if len(whole) < len(slices):
        broken = [item for item in slices if "broken" in item]
        raise Rejected("damaged slice", f"{len(broken)} of {len(slices)}: {broken[0]['broken']}")
    if first["rows"] is None or first["columns"] is None:
        raise Rejected("not CT", "an object without an image")
    if first["samples"] != 1 or first["photometric"] != "MONOCHROME2":
        raise Rejected("pictures instead of HU", f"{first['photometric']}")
    if not first["frames"] and any(not is_placed(item) for item in whole):
        raise Rejected("no position in the patient")
    if not first["frames"] and len(slices) < MIN_SLICES:
        raise Rejected("too small", f"{len(slices)} slices, at least {MIN_SLICES} are needed")
    if any(item["slope"] is None or item["intercept"] is None for item in whole):
        raise Rejected("no rescale tags", "slope and intercept are needed for HU")
    if any(item["slope"] == 0 for item in whole):
        raise Rejected("wrong rescale tags", "the slope is 0")


def is_placed(item: dict) -> bool:
    """Whether position, orientation and spacing are given, finite and not degenerate."""
    lengths = {"position": 3, "orientation": 6, "pixel_spacing": 2}
    if any(len(item[name] or []) != length for name, length in lengths.items()):
        return False
    numbers = np.concatenate([item[name] for name in lengths])
    normal = np.cross(*np.reshape(item["orientation"], (2, 3)))
    is_flat = np.linalg.norm(normal) < 0.9
    return bool(np.isfinite(numbers).all() and min(item["pixel_spacing"]) > 0 and not is_flat)


def pixels(item: dict) -> np.ndarray:
    """A slice in HU: (rows, columns), of the smallest type that holds it without rounding.

    Raises:
        Rejected: cut short, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(item["path"], force=True)
            if "TransferSyntaxUID" not in dataset.file_meta:  # a file without a preamble
                is_implicit = dataset.original_encoding[0]
                syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
                dataset.file_meta.TransferSyntaxUID = syntax
            stored = dataset.pixel_array
    except Exception as error:  # every decoder fails in its own way
        detail = f"{Path(item['path']).name}: {error}".splitlines()[0]
        raise Rejected("damaged slice", detail) from error
    if stored.shape != (item["rows"], item["columns"]):
        raise Rejected("damaged slice", f"its image has the shape {stored.shape}")
    slope, intercept = item["slope"], item["intercept"]
    if slope.is_integer() and intercept.is_integer():
        values = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        values = (stored * np.float64(slope) + intercept).astype(np.float32)
    if item["padding"] is not None:
        values[stored == item["padding"]] = AIR_HU
    is_short = values.dtype == np.int32 and np.abs(values).max() <= np.iinfo(np.int16).max
    return values.astype(np.int16) if is_short else values


def _without_repeats(
    images: list[np.ndarray], positions: np.ndarray, is_first: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Of slices at the same position one, where all are equal.

    Raises:
        Rejected: they differ: several phases, or several acquisitions.
    """
    for number in np.flatnonzero(~is_first):
        if not np.array_equal(images[number], images[number - 1]):
            several = Counter(np.cumsum(is_first).tolist()).most_common(1)[0][1]
            raise Rejected("several volumes in one", f"up to {several} slices at one position")
    kept = np.flatnonzero(is_first)
    return [images[number] for number in kept], positions[kept]


def stacking_step(positions: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """From one slice to the next, in mm: (3,).

    Args:
        positions: (Z, 3) mm, in order along the normal.
        normal: (3,), of length 1.

    Raises:
        Rejected: the slices are not evenly spaced on a line.
    """
    gaps = np.diff(positions @ normal)
    if len(positions) < MIN_SLICES:
        raise Rejected("too small", f"{len(positions)} slices, at least {MIN_SLICES} are needed")
    gap = np.median(gaps)
    tolerance = max(GAP_TOLERANCE_MM, GAP_TOLERANCE * gap)
    if (np.abs(gaps - gap) > tolerance).any():
        multiples = np.rint(gaps / gap)
        is_multiple = (np.abs(gaps - multiples * gap) <= tolerance) & (multiples >= 1)
        if is_multiple.all():
            raise Rejected("missing slices", f"{int((multiples - 1).sum())} of {gap:.2f} mm")
        found = f"{gaps.min():.2f} to {gaps.max():.2f} mm between slices"
        raise Rejected("uneven spacing", found)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    aside = np.abs(positions - line).max()
    if aside > LINE_TOLERANCE_MM:
        raise Rejected("uneven spacing", f"slices lie up to {aside:.1f} mm beside their line")
    return step
