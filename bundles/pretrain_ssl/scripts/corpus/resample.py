"""Volumes on the corpus' grid: RAS, one spacing, cropped to the body, int16."""

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import CropForeground, Spacing, SpatialResample

from ..common.data.dicom.geometry import TILT_FROM_DEGREES
from ..common.data.dicom.read import AIR_HU
from ..common.data.dicom.volume import Volume

INT16 = np.iinfo(np.int16)
NO_AIR_BELOW_HU = -1100  # noise of air reaches a little below -1024, padding lies far below
SAME_SPACING = 1e-3  # mm
BACKWARDS = [2, 1, 0, 3]  # columns of an affine whose voxels are (Z, Y, X)
AFFINE_DECIMALS = 4  # so that a copy in another format has the same affine


def as_int16(volume: Volume) -> Volume:
    """HU rounded, air where padding was, outliers at the ends of the type; RAS by turns alone."""
    orientation = nib.io_orientation(volume.affine)
    values = nib.apply_orientation(volume.values, orientation)
    turned = nib.orientations.inv_ornt_aff(orientation, volume.values.shape)
    affine = np.round(volume.affine @ turned, AFFINE_DECIMALS) + 0.0
    repairs = list(volume.repairs)
    if values.dtype != np.int16:
        outliers = np.count_nonzero((values < INT16.min) | (values > INT16.max))
        if outliers:
            repairs.append(f"outliers beyond int16: {outliers}")
        values = np.rint(np.clip(values, INT16.min, INT16.max)).astype(np.int16)
    is_padding = values < NO_AIR_BELOW_HU
    if is_padding.any():
        repairs.append(f"padding set to air: {np.count_nonzero(is_padding)} voxels")
        values = np.where(is_padding, np.int16(AIR_HU), values)
    return Volume(values, affine, repairs)


def tilt_degrees(affine: np.ndarray) -> float:
    """How far the axes are from right angles: 0 for a box."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs((axes.T @ axes)[np.triu_indices(3, 1)]).max()
    return float(np.degrees(np.arcsin(min(1.0, cosines))))


def on_grid(volume: Volume, spacing_mm: float, body_above_hu: float) -> Volume:
    """A volume of `as_int16` at one spacing, cropped to the body's bounding box.

    The steps are those of the training's own transforms (configs/train.json), so that training on
    the corpus is training on the originals. Slices that lean, as with a tilted gantry, are put
    upright; what comes to lie outside of the scan is air.

    Returns:
        int16, clipped at -1024 HU.
    """
    repairs, tilt = list(volume.repairs), tilt_degrees(volume.affine)
    # axes in the order of the memory, which is NIfTI's and three times as fast to resample
    affine = volume.affine[:, BACKWARDS]
    image = MetaTensor(torch.from_numpy(np.ascontiguousarray(volume.values.T))[None], affine=affine)
    if tilt >= TILT_FROM_DEGREES:
        image = upright(image.float(), spacing_mm)
        repairs.append(f"gantry tilt: {tilt:.1f} degrees")
    elif np.abs(volume.spacing_mm - spacing_mm).max() > SAME_SPACING:
        resample = Spacing(pixdim=(spacing_mm,) * 3, mode="bilinear", dtype=np.float32)
        image = resample(image.float())
    body = CropForeground(select_fn=lambda values: values > body_above_hu, allow_smaller=True)
    image = body(image)
    values = np.rint(np.clip(image.numpy()[0], AIR_HU, INT16.max)).astype(np.int16)
    return Volume(values.T, image.affine.numpy()[:, BACKWARDS], repairs)


def upright(image: MetaTensor, spacing_mm: float) -> MetaTensor:
    """A volume resampled to the patient's own axes, large enough for all of it.

    Args:
        image: (1, Z, Y, X) HU.
        spacing_mm: of the result along each axis.
    """
    shape = np.array(image.shape[1:])
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (shape - 1)[:, None]
    places = (image.affine.numpy() @ np.vstack([corners, np.ones(8)]))[:3]  # mm
    first, last = places.min(axis=1), places.max(axis=1)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = first
    size = np.floor((last - first) / spacing_mm).astype(int) + 1
    resample = SpatialResample(mode="bilinear", padding_mode="zeros", dtype=np.float32)
    moved = resample(
        image - AIR_HU, dst_affine=affine[:, BACKWARDS], spatial_size=size[::-1].tolist()
    )
    return moved + AIR_HU  # so that what was padded with 0 is air
