# generated from common/data/dicom/read.py, do not edit: `make copies`
"""Reads a DICOM series as a volume: sorts its slices, checks them, and computes the affine.

The geometry is that of DICOM PS3.3, C.7.6.2.1.1; patient coordinates turn from LPS to RAS.
"""

import warnings
from pathlib import Path

import gdcm  # noqa: F401  pydicom decodes JPEG by it, and without it calls such slices damaged
import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from . import geometry, headers
from .volume import MIN_SLICES, RejectedError, Volume, check_slices

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
AIR_HU = -1024


def read_series(slices: list[dict], least: int = MIN_SLICES) -> Volume:
    """Reads the volume of a series.

    Args:
        slices: as `headers.read` gives them, each with its `path`; every instance once.
        least: slices that a volume needs.

    Raises:
        RejectedError: the series is no CT, or a volume of its slices would be a guess.
    """
    check_series(slices, least)
    if slices[0]["frames"]:
        raise RejectedError("multi-frame DICOM", "convert it to single frames or to NIfTI")
    positions = np.array([item["position"] for item in slices])
    rows, columns = np.array(slices[0]["orientation"]).reshape(2, 3)
    normal = geometry.normalize(np.cross(rows, columns))
    order = np.argsort(positions @ normal, kind="stable")
    images = [read_pixels(slices[number]) for number in order]
    indices, repairs = geometry.drop_repeats(images, positions[order] @ normal)
    images, positions = [images[index] for index in indices], positions[order][indices]
    step = geometry.compute_step(positions, normal, least)
    row_mm, column_mm = slices[0]["pixel_spacing"]
    affine = np.eye(4)
    affine[:3] = np.column_stack([rows * column_mm, columns * row_mm, step, positions[0]])
    values = np.stack(images).transpose(2, 1, 0)  # (Z, rows, columns) to (X, Y, Z)
    return Volume(values, LPS_TO_RAS @ affine, repairs)


def check_series(slices: list[dict], least: int = MIN_SLICES) -> None:
    """Checks a series by its headers alone.

    Raises:
        RejectedError: for the first of the reasons, the most telling first.
    """
    whole = [item for item in slices if "broken" not in item]
    first = whole[0]
    if headers.is_localizer(first):
        raise RejectedError("localizer")
    if first["modality"] != "CT":
        raise RejectedError("not CT", f"modality {first['modality'] or 'not given'}")
    if len(whole) < len(slices):
        broken = [item for item in slices if "broken" in item]
        raise RejectedError(
            "damaged slice", f"{len(broken)} of {len(slices)}: {broken[0]['broken']}"
        )
    if first["rows"] is None or first["columns"] is None:
        raise RejectedError("not CT", "an object without an image")
    if first["samples"] != 1 or first["photometric"] != "MONOCHROME2":
        raise RejectedError("pictures instead of HU", f"{first['photometric']}")
    if not first["frames"] and any(not geometry.has_geometry(item) for item in whole):
        raise RejectedError("no position in the patient")
    if not first["frames"]:
        check_slices(len(slices), least)
    if any(item["slope"] is None or item["intercept"] is None for item in whole):
        raise RejectedError("no rescale tags", "slope and intercept are needed for HU")
    if any(item["slope"] == 0 for item in whole):
        raise RejectedError("wrong rescale tags", "the slope is 0")


def read_pixels(item: dict) -> np.ndarray:
    """Reads a slice in HU.

    Returns:
        (rows, columns), of the smallest type that holds the HU without rounding.

    Raises:
        RejectedError: the slice is cut short, or damaged.
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
        raise RejectedError("damaged slice", detail) from error
    if stored.shape != (item["rows"], item["columns"]):
        raise RejectedError("damaged slice", f"its image has the shape {stored.shape}")
    slope, intercept = item["slope"], item["intercept"]
    if slope.is_integer() and intercept.is_integer():
        values = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        values = (stored * np.float64(slope) + intercept).astype(np.float32)
    if item["padding"] is not None:
        values[stored == item["padding"]] = AIR_HU
    is_short = values.dtype == np.int32 and np.abs(values).max() <= np.iinfo(np.int16).max
    return values.astype(np.int16) if is_short else values
