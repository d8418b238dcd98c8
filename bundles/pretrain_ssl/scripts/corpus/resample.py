"""Resamples volumes to the corpus' grid: RAS, one spacing, cropped to the body, int16."""

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import CropForeground, Spacing, SpatialResample

from ..common.data.dicom.geometry import TILT_FROM_DEGREES
from ..common.data.dicom.padding import AIR_HU
from ..common.data.dicom.volume import Volume

INT16 = np.iinfo(np.int16)
NO_AIR_BELOW_HU = -1100  # noise of air reaches a little below -1024, padding lies far below
SAME_SPACING = 1e-3  # mm
BACKWARDS = [2, 1, 0, 3]  # columns of an affine whose voxels are (Z, Y, X)
AFFINE_DECIMALS = 4  # so that a copy in another format has the same affine


def convert_to_int16(volume: Volume) -> Volume:
    """Turns a volume to RAS without resampling, and converts its HU to int16.

    HU are rounded, outliers are clipped to the range of the type, and padding becomes air.
    """
    orientation = nib.io_orientation(volume.affine)
    values = nib.apply_orientation(volume.values, orientation)
    to_ras = nib.orientations.inv_ornt_aff(orientation, volume.values.shape)
    affine = np.round(volume.affine @ to_ras, AFFINE_DECIMALS) + 0.0
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
    """Returns how far the axes are from right angles: 0 for a box."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs((axes.T @ axes)[np.triu_indices(3, 1)]).max()
    return float(np.degrees(np.arcsin(min(1.0, cosines))))


def resample_to_grid(volume: Volume, spacing_mm: float, body_above_hu: float) -> Volume:
    """Resamples a volume of `convert_to_int16` to one spacing, and crops to the body's box.

    The steps are those of the training's own transforms (configs/train.json), so that training on
    the corpus is training on the originals. Slices that lean, as with a tilted gantry, are put
    upright; voxels that come to lie outside of the scan are air.

    Returns:
        int16, clipped at -1024 HU.
    """
    repairs, tilt = list(volume.repairs), tilt_degrees(volume.affine)
    # axes in the order of the memory, which is NIfTI's and three times as fast to resample
    affine = volume.affine[:, BACKWARDS]
    image = MetaTensor(torch.from_numpy(np.ascontiguousarray(volume.values.T))[None], affine=affine)
    if tilt >= TILT_FROM_DEGREES:
        image = resample_upright(image.float(), spacing_mm)
        repairs.append(f"gantry tilt: {tilt:.1f} degrees")
    elif np.abs(volume.spacing_mm - spacing_mm).max() > SAME_SPACING:
        resample = Spacing(pixdim=(spacing_mm,) * 3, mode="bilinear", dtype=np.float32)
        image = resample(image.float())
    crop = CropForeground(select_fn=lambda values: values > body_above_hu, allow_smaller=True)
    image = crop(image)
    values = np.rint(np.clip(image.numpy()[0], AIR_HU, INT16.max)).astype(np.int16)
    return Volume(values.T, image.affine.numpy()[:, BACKWARDS], repairs)


def resample_upright(image: MetaTensor, spacing_mm: float) -> MetaTensor:
    """Resamples a volume to the patient's axes, on a grid that holds all of the volume.

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
    above_air = resample(
        image - AIR_HU, dst_affine=affine[:, BACKWARDS], spatial_size=size[::-1].tolist()
    )
    return above_air + AIR_HU  # so that padding with 0 is air
