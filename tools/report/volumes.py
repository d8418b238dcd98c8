"""Reads images and label maps in the closest canonical orientation, and chooses their grey window.

RAS+: the three axes run to the patient's right, front and head, so that every picture looks the
same however its file was stored.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from common.data.open_image import open_image
from common.errors import InputError

CT_WINDOW_HU = (-175.0, 250.0)  # soft tissue: the intensity range of the BTCV experiments
MR_IF_MIN_ABOVE = -200.0  # CT contains air (-1000 HU); an image without any is taken for MR


@dataclass(frozen=True)
class Volume:
    """Holds a volume in RAS: values (X, Y, Z), affine (4, 4) in mm, its file and its channels."""

    values: np.ndarray
    affine: np.ndarray
    path: Path
    channels: int = 1  # of the file; the values are those of the first

    @property
    def spacing_mm(self) -> np.ndarray:
        """Computes voxel size (3,) in mm along right-left, front-back and head-feet."""
        return nib.affines.voxel_sizes(self.affine)


def load_volume(path: Path, channels: bool = True) -> Volume:
    """Reads a NIfTI image and turns it to RAS; of several channels it takes the first.

    Args:
        path: of a 3D file, or of a 4D one whose last axis is the channels.
        channels: whether several channels are allowed.
    """
    try:
        image = open_image(path)
        count = image.shape[3] if image.ndim == 4 else 1
        if image.ndim == 4 and (channels or count == 1):
            image = nib.funcs.four_to_three(image)[0]
        if image.ndim != 3:
            raise InputError(f"{path} has shape {image.shape}; give a 3D image, one value a voxel.")
        image = nib.as_closest_canonical(image)
        values = np.nan_to_num(image.get_fdata(dtype=np.float32))
    except (ImageFileError, OSError, EOFError, zlib.error) as error:
        reason = type(error).__name__
        raise InputError(
            f"{path} cannot be read ({reason}); write this NIfTI file again."
        ) from None
    return Volume(values, image.affine, Path(path), count)


def load_label_map(path: Path) -> Volume:
    """Reads a label map; some tools store labels as floats, so values are rounded to integers."""
    volume = load_volume(path, channels=False)
    return Volume(np.rint(volume.values).astype(np.int32), volume.affine, volume.path)


def check_same_grid(image: Volume, other: Volume) -> None:
    """Stops unless both volumes cover the same voxels, to a tenth of a voxel at the far corner."""
    same = image.values.shape == other.values.shape
    if same:
        drift_mm = np.abs(image.affine - other.affine) @ [*image.values.shape, 1]
        same = drift_mm.max() < 0.1 * image.spacing_mm.min()
    if not same:
        raise InputError(
            f"{image.path} and {other.path} are not on the same voxel grid (shape, spacing or "
            "origin differ); write the second one again on the grid of the first."
        )


def is_mr(values: np.ndarray) -> bool:
    """Tells MR from CT by the lowest intensity, since file formats do not say."""
    return bool(values.min() > MR_IF_MIN_ABOVE)


def intensity_window(values: np.ndarray) -> tuple[float, float]:
    """Returns the intensities of black and white: fixed HU, or percentiles 1 and 99 for MR."""
    if not is_mr(values):
        return CT_WINDOW_HU
    low, high = np.percentile(values[::2, ::2, ::2], [1, 99])
    return float(low), float(max(high, low + 1e-3))
