# generated from common/data/nifti_affine.py, do not edit: `make copies`
"""Tells where the voxels of a NIfTI file lie, in mm, and refuses headers that do not say it."""

import nibabel as nib
import numpy as np

from ..errors import InputError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
CODES = range(6)  # of qform and sform that NIfTI knows
MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # of a unit by its code: unknown, metre, mm, micron
MIN_VOXEL_MM = 0.01
MAX_EXTENT_MM = 3000  # of a scan
MAX_ORIGIN_MM = 1e6  # further away the affine's numbers are not exact


class HeaderError(InputError):
    """Reports a NIfTI file that cannot be used.

    Args:
        path: of the file.
        kind: the reason without figures or names, by which rejected volumes are counted.
        problem: a description of the mistake, such as "has shape (4, 5), expected a 3D volume".
        remedy: the action for the user.
    """

    def __init__(
        self, path: str, kind: str, problem: str, remedy: str = "repair its header or remove it"
    ) -> None:
        super().__init__(f"{path} {problem}; {remedy}.")
        self.kind, self.problem = kind, problem


def affine_mm(header: nib.Nifti1Header) -> np.ndarray:
    """Computes the affine (4, 4) in mm as nibabel does: by sform, else qform, else a guess."""
    affine = header.get_best_affine()
    affine[:3] *= MM.get(int(header["xyzt_units"]) & 7, 1.0)
    return affine


def check_affine(
    path: str, image: nib.Nifti1Pair, raw: nib.Nifti1Header
) -> tuple[np.ndarray, list[str]]:
    """Computes a checked affine.

    Args:
        path: of the file, for the sentence.
        image: of nibabel.
        raw: the header as it is in the file.

    Returns:
        The affine (4, 4) in mm, and a text for each value that was guessed or converted.

    Raises:
        HeaderError: the header does not say where the voxels lie.
    """
    _check_codes(path, raw)
    with np.errstate(all="ignore"):  # what overflows is refused below
        affine = affine_mm(image.header)
        _check_size(path, affine, image.shape[:3])
        return affine, _notes(image.header, raw, affine, image.shape[:3])


def _check_codes(path: str, raw: nib.Nifti1Header) -> None:
    """Refuses unknown codes, and voxels without a size."""
    for field in ("qform_code", "sform_code"):
        if int(raw[field]) not in CODES:
            raise HeaderError(path, "unknown code", f"has an unknown {field} {int(raw[field])}")
    if int(raw["sform_code"]) == 0 and (raw["pixdim"][1:4] == 0).any():
        raise HeaderError(path, "no voxel size", "does not say how large voxels are (pixdim is 0)")


def _check_size(path: str, affine: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses affines that are not finite, flatten the volume, or are of no scan's size."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not spacing.all():
        raise HeaderError(path, "singular affine", "has a singular affine")
    volume = abs(np.linalg.det(affine[:3, :3] / spacing))  # of a voxel with edges of 1
    if not volume > 1e-3:
        raise HeaderError(path, "singular affine", "has a singular affine")
    size = " x ".join(f"{mm:.3g}" for mm in spacing)
    if spacing.min() < MIN_VOXEL_MM:
        raise HeaderError(
            path, "impossible size", f"has voxels of {size} mm (or is its unit not mm?)"
        )
    if (spacing * shape).max() > MAX_EXTENT_MM:
        problem = f"has {shape} voxels of {size} mm, more than {MAX_EXTENT_MM} mm across"
        raise HeaderError(path, "impossible size", problem)
    if np.abs(affine[:3, 3]).max() > MAX_ORIGIN_MM:
        origin = ", ".join(f"{mm:.3g}" for mm in affine[:3, 3])
        raise HeaderError(path, "impossible origin", f"has its origin at {origin} mm")


def _notes(
    header: nib.Nifti1Header, raw: nib.Nifti1Header, affine: np.ndarray, shape: tuple[int, ...]
) -> list[str]:
    """Describes the values that were guessed or converted."""
    notes, unit = [], int(raw["xyzt_units"]) & 7
    if unit not in MM:
        notes.append(f"unknown unit of length, mm are assumed: code {unit}")
    elif MM[unit] != 1:
        name = "metres" if unit == 1 else "microns"
        notes.append(f"its header is in {name}, converted to mm")
    if not (raw["sform_code"] or raw["qform_code"]):
        notes.append(
            "no orientation in its header: qform_code and sform_code are 0, it is guessed as "
            "nibabel does, and labels may lie mirrored"
        )
    if raw["sform_code"] == 0 and (raw["pixdim"][1:4] < 0).any():
        notes.append("a negative pixdim is taken as positive")
    if raw["sform_code"] and raw["qform_code"]:
        notes += _compare_forms(header, affine, shape)
    return notes


def _compare_forms(
    header: nib.Nifti1Header, affine: np.ndarray, shape: tuple[int, ...]
) -> list[str]:
    """Describes a qform that lays a corner of the volume more than half a voxel elsewhere."""
    try:
        qform = header.get_qform()
    except ValueError:  # its quaternion is none
        return ["qform is no rotation, and sform counts"]
    qform[:3] *= MM.get(int(header["xyzt_units"]) & 7, 1.0)
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (np.array(shape)[:, None] - 1)
    distances = np.linalg.norm(((affine - qform) @ np.vstack([corners, np.ones(8)]))[:3], axis=0)
    if distances.max() <= 0.5 * np.linalg.norm(affine[:3, :3], axis=0).min():
        return []
    return [f"sform and qform differ, and sform counts: by up to {distances.max():.3g} mm"]
