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

from ..nifti_affine import LPS_TO_RAS
from . import geometry, headers, identity
from .copies import mark_copies
from .padding import Padding
from .volume import RejectedError, Volume, check_slice_count


def read_series(slices: list[dict], least: int) -> Volume:
    """Reads the volume of a series.

    Args:
        slices: as `headers.read` gives them, each with its `path`.
        least: slices that a volume needs.

    Raises:
        RejectedError: the series is no CT, or a volume of its slices would be a guess.
    """
    check_series(slices, least)
    marked = mark_copies(slices)
    slices = [item for item in marked if not item["is_copy"]]
    n_copies = len(marked) - len(slices)
    repairs = [f"copies of files left out: {n_copies}"] if n_copies else []
    if geometry.has_rounding(slices):
        repairs.append("orientation or spacing differ by rounding: their median is taken")
    positions = np.array([item["position"] for item in slices])
    normal = geometry.plane_normal(slices)
    repairs += identity.check_identity(slices, positions @ normal)
    order = np.argsort(positions @ normal, kind="stable")
    paddings = Padding()
    images = [read_pixels(slices[number], paddings) for number in order]
    indices, repeats = geometry.drop_repeats(images, positions[order] @ normal)
    images, positions = [images[index] for index in indices], positions[order][indices]
    step = geometry.compute_step(positions, normal, least)
    rows, columns = geometry.shared_value(slices, "orientation").reshape(2, 3)
    row_mm, column_mm = geometry.shared_value(slices, "pixel_spacing")
    affine = np.eye(4)
    affine[:3] = np.column_stack([rows * column_mm, columns * row_mm, step, positions[0]])
    values = np.stack(images).transpose(2, 1, 0)  # (Z, rows, columns) to (X, Y, Z)
    return Volume(values, LPS_TO_RAS @ affine, [*repairs, *repeats, *paddings.repairs()])


def check_series(slices: list[dict], least: int) -> None:
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
    if len(whole) > 1 and len({item["uid"] for item in whole}) == len(whole):
        detail = f"each of {len(whole)} slices has a SeriesInstanceUID of its own"
        raise RejectedError("no identity", detail)
    _check_images(whole, least)
    if contradiction := identity.find_contradiction(whole):
        raise RejectedError("slices that contradict each other", contradiction)
    if uneven := geometry.find_uneven_grid(whole):
        raise RejectedError("slices that contradict each other", uneven)
    if any(item["slope"] is None or item["intercept"] is None for item in whole):
        raise RejectedError("no rescale tags", "slope and intercept are needed for HU")
    if any(item["slope"] == 0 for item in whole):
        raise RejectedError("wrong rescale tags", "the slope is 0")


def _check_images(slices: list[dict], least: int) -> None:
    """Raises RejectedError unless each file is one slice of grey levels with its geometry."""
    if any(item["rows"] is None or item["columns"] is None for item in slices):
        raise RejectedError("not CT", "an object without an image")
    for item in slices:
        if item["samples"] != 1 or item["photometric"] != "MONOCHROME2":
            raise RejectedError("pictures instead of HU", f"{item['photometric']}")
    if any(headers.is_multi_frame(item) for item in slices):
        raise RejectedError("multi-frame DICOM", "convert it to single frames or to NIfTI")
    for item in slices:
        if tag := geometry.find_bad_geometry(item):
            raise RejectedError("no position in the patient", f"{tag} is absent or unusable")
    check_slice_count(len(slices), least)


def read_pixels(item: dict, paddings: Padding) -> np.ndarray:
    """Reads a slice in HU.

    Args:
        item: the slice's header and `path`.
        paddings: sets the padding to air, and counts.

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
        detail = f"{Path(item['path']).name}: its image has the shape {stored.shape}"
        raise RejectedError("damaged slice", detail)
    slope, intercept = item["slope"], item["intercept"]
    if slope.is_integer() and intercept.is_integer():
        values = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        values = (stored * np.float64(slope) + intercept).astype(np.float32)
    paddings.set_to_air(values, stored, item)
    is_short = values.dtype == np.int32 and np.abs(values).max() <= np.iinfo(np.int16).max
    return values.astype(np.int16) if is_short else values
