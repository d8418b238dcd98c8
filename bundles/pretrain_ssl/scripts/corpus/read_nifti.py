"""Reads a NIfTI file of an archive as a volume."""

import zlib
from pathlib import Path

import numpy as np

from ..common.data.dicom.volume import RejectedError, Volume, first_line
from ..common.data.nifti_affine import HeaderError
from ..common.data.nifti_header import open_nifti
from ..common.data.open_image import MADE_BY_US, read_voxels
from ..common.errors import InputError

MOST_NOT_FINITE = 0.01  # of the voxels; more is damage, not a blemish


def read_nifti(path: Path) -> Volume:
    """Reads the volume of a file.

    Raises:
        RejectedError: the header is unusable, see `open_nifti`; the voxels are unreadable, or
            largely not finite.
    """
    try:
        nifti = open_nifti(str(path))
    except HeaderError as error:
        raise RejectedError(error.kind, error.problem) from error
    except InputError as error:  # a package is not installed: not the file's fault
        raise RejectedError("format that is not read", str(error)) from error
    image, repairs = nifti.image, list(nifti.notes)
    if image.header["descrip"].item() == MADE_BY_US:
        raise RejectedError("output of an inference")
    if len(image.shape) == 4:
        repairs.append("4D with one volume")
    try:
        values = read_voxels(image)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise RejectedError("damaged file", first_line(error)) from error
    values = values.reshape(image.shape[:3])
    if values.dtype.kind == "f":
        values = _replace_not_finite(values.astype(np.float32, copy=False), repairs)
    return Volume(values, nifti.affine, repairs)


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
