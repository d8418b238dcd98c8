# generated from common/data/nifti_header.py, do not edit: `make copies`
"""Opens NIfTI files: one check of their headers for every reader, and headers for outputs."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ..errors import InputError
from .formats import ITK_ENDINGS, ending_of
from .nifti_affine import HeaderError, affine_mm, check_affine
from .open_image import MADE_BY_US, open_image

# What nibabel mends it says without the file's name; `check_affine` says or refuses what matters.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)

# The fields that say where voxels lie.
GEOMETRY = ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x")
GEOMETRY += ("qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")


@dataclass(frozen=True)
class NiftiVolume:
    """Holds an opened file whose header was checked; voxels are not read.

    Args:
        image: of nibabel.
        affine: 4x4, from voxel to patient coordinates in mm, RAS.
        notes: a text for each value that was guessed or converted.
    """

    image: nib.Nifti1Pair
    affine: np.ndarray
    notes: list[str]


def check_header(path: str, channels: int = 1) -> str:
    """Checks a header as `open_nifti`, warns of guessed values, and returns the path."""
    warn_of(path, open_nifti(path, channels).notes)
    return path


def warn_of(path: str, notes: list[str]) -> None:
    """Warns of each note; Python shows a text from here once, however often a file is opened."""
    for note in notes:
        warnings.warn(f"{path}: {note}", stacklevel=1)


def open_nifti(path: str, channels: int = 1, channel_names: Sequence[str] = ()) -> NiftiVolume:
    """Opens a 3D volume (4D when `channels` > 1), and checks its header.

    Args:
        path: of a NIfTI file.
        channels: channels of an image; more than one are the fourth axis of its file.
        channel_names: the content of each channel, for the sentence: `("T2", "ADC")`.

    Raises:
        HeaderError: the file is unreadable, holds no real numbers, is of another shape, or its
            header does not say where the voxels lie.
    """
    image, raw = _load(path)
    _check_type(path, image)
    _check_shape(path, image.shape, channels, channel_names)
    notes = _check_scaling(path, raw)
    affine, more = check_affine(path, image, raw)
    return NiftiVolume(image, affine, notes + more)


def _load(path: str) -> tuple[nib.Nifti1Pair, nib.Nifti1Header]:
    """Loads a file: nibabel's image, and the header as it is, without nibabel's repairs."""
    try:
        image = open_image(path)
        if not isinstance(image, nib.Nifti1Pair):
            kind = type(image).__name__
            raise HeaderError(path, "not NIfTI", f"is no NIfTI file but {kind}", "convert it")
        if ending_of(path) in ITK_ENDINGS:
            return image, image.header
        file = image.file_map.get("header", image.file_map["image"])
        with file.get_prepare_fileobj("rb") as opened:
            return image, image.header_class.from_fileobj(opened, check=False)
    except InputError:
        raise
    except FileNotFoundError as error:
        problem, remedy = "does not exist", "remove it from the datalist"
        raise HeaderError(path, "missing file", problem, remedy) from error
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        cause = f" ({error})" if isinstance(error, HeaderDataError) else ""
        problem = f"cannot be read as an image{cause}"
        raise HeaderError(path, "damaged file", problem, "replace or remove it") from error


def _check_type(path: str, image: nib.Nifti1Pair) -> None:
    """Refuses voxels that are no real numbers."""
    dtype = image.get_data_dtype()
    if dtype.names or dtype.kind == "c":
        kind = f"colours ({''.join(dtype.names)})" if dtype.names else "complex numbers"
        problem = f"holds {kind}, expected one real number for each voxel"
        raise HeaderError(path, "not a volume", problem, "convert or remove it")


def _check_shape(
    path: str, shape: tuple[int, ...], channels: int, channel_names: Sequence[str]
) -> None:
    """Refuses another number of axes or channels, and axes without voxels."""
    n_channels = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or n_channels != channels or min(shape) < 1:
        expected = "a 3D volume" if channels == 1 else f"4D with {channels} channels last"
        if channel_names and len(shape) in (3, 4):
            plural = "" if n_channels == 1 else "s"
            problem = (
                f"has {n_channels} channel{plural} (shape {shape}), and {channels} are needed "
                f"along its fourth axis: {', '.join(channel_names)}"
            )
            raise HeaderError(path, "wrong channels", problem, "add or remove channels")
        is_series = len(shape) == 4 and channels == 1 and n_channels > 1
        kind = "several volumes in one" if is_series else "not a volume"
        problem = f"has shape {shape}, expected {expected}"
        raise HeaderError(path, kind, problem, "convert or remove it")


def _check_scaling(path: str, raw: nib.Nifti1Header) -> list[str]:
    """Refuses an infinite slope; notes an intercept that does not count. NaN means no scaling."""
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if np.isinf(slope):
        raise HeaderError(path, "wrong scaling", f"has scl_slope {slope:g}")
    if slope == 0 and np.isfinite(intercept) and intercept:
        return [f"scl_slope is 0, so that scl_inter does not count: {intercept:g}"]
    return []


def output_header(meta: Mapping, affine: np.ndarray, shape: tuple[int, ...]) -> nib.Nifti1Header:
    """Makes the header of a volume; on its image's own grid the grid is described as there.

    Forms, codes and units are then those of the image's header, so that every program that lays the
    image somewhere lays the volume there too.

    Args:
        meta: metadata of the image; of a NIfTI file it has the header's fields.
        affine: 4x4, mm.
        shape: of the volume, (X, Y, Z) or (X, Y, Z, classes).
    """
    header = _new_header(shape)
    # MONAI's Spacing changes `pixdim` to the network's
    if all(field in meta for field in (*GEOMETRY, "original_pixdim", "xyzt_units")):
        for field in GEOMETRY:
            header[field] = np.asarray(meta[field]).squeeze()
        header["pixdim"][:4] = np.asarray(meta["original_pixdim"]).squeeze()[:4]
        header["xyzt_units"] = int(meta["xyzt_units"]) & 7  # without that of time
        if np.allclose(affine_mm(header), affine, rtol=1e-5, atol=1e-3):
            return header
    header = _new_header(shape)
    header.set_xyzt_units("mm")
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    return header


def _new_header(shape: tuple[int, ...]) -> nib.Nifti1Header:
    """Makes a header with the mark by which a later run knows an output."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header["descrip"] = MADE_BY_US
    return header
