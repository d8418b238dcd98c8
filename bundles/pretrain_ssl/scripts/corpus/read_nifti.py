"""Reads a NIfTI file of an archive as a volume."""

import zlib
from pathlib import Path

import numpy as np

from ..common.data.dicom.volume import RejectedError, Volume, first_line
from ..common.data.open_image import MADE_BY_US, open_image
from ..common.errors import InputError

MOST_NOT_FINITE = 0.01  # of the voxels; more is damage, not a blemish


def read_nifti(path: Path) -> Volume:
    """Reads the volume of a file.

    Raises:
        RejectedError: the file is unreadable, of another shape, without a usable affine, or its
            voxels are largely not finite.
    """
    try:
        image = open_image(path)
        affine, shape, kind = image.affine, image.shape, image.get_data_dtype()
    except InputError as error:  # a package is not installed: not the file's fault
        raise RejectedError("format that is not read", str(error)) from error
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        raise RejectedError("damaged file", first_line(error)) from error
    if image.header.get("descrip") == MADE_BY_US:
        raise RejectedError("output of an inference")
    repairs = []
    if len(shape) < 3 or len(shape) > 4 or (kind.names or kind.kind == "c"):
        raise RejectedError("not a volume", f"shape {shape}, {kind}")
    if len(shape) == 4 and shape[3] != 1:
        raise RejectedError("several volumes in one", f"4D with {shape[3]} volumes")
    if len(shape) == 4:
        repairs.append("4D with one volume")
    check_affine(affine)
    try:
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise RejectedError("damaged file", first_line(error)) from error
    values = values.reshape(shape[:3])
    if values.dtype.kind == "f":
        values = _replace_not_finite(values.astype(np.float32, copy=False), repairs)
    if not (image.header["sform_code"] or image.header["qform_code"]):
        repairs.append("no orientation in its header: taken as nibabel takes it")
    return Volume(values, affine, repairs)


def check_affine(affine: np.ndarray) -> None:
    """Raises RejectedError for an affine that is not finite or flattens the volume."""
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-6:
        raise RejectedError("singular affine")


def _replace_not_finite(values: np.ndarray, repairs: list[str]) -> np.ndarray:
    """Replaces NaN and infinity by the smallest finite value, and appends to the repairs."""
    is_finite = np.isfinite(values)
    share = 1 - np.count_nonzero(is_finite) / values.size
    if share > MOST_NOT_FINITE:
        raise RejectedError("voxels that are not finite", f"{share:.1%}")
    if share:
        repairs.append(f"voxels not finite: {values.size - np.count_nonzero(is_finite)}")
        values = np.where(is_finite, values, values[is_finite].min())
    return values
