"""Maps a volume that stays in its file: open only while its voxels are used."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.arrayproxy import ArrayProxy

from ..common.errors import InputError

AIR_HU = -1000.0
SPACING_TOLERANCE_MM = 1e-3


@dataclass(frozen=True)
class Voxels:
    """Holds stored values (X, Y, Z), mapped or in memory, and the scale that makes HU of them."""

    stored: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    path: str = ""

    def hu(self, index: tuple) -> np.ndarray:
        """Reads the HU of a voxel, plane or box, float32 in C order.

        Voxels that are not finite become air, with a warning, which Python shows once for a file.
        """
        hu = self.stored[index].astype(np.float32, order="C")
        if (self.slope, self.intercept) != (1, 0):
            hu = hu * np.float32(self.slope) + np.float32(self.intercept)
        if self.stored.dtype.kind in "iu" or (is_finite := np.isfinite(hu)).all():
            return hu
        warnings.warn(f"{self.path}: voxels that are not finite are read as air", stacklevel=1)
        return np.where(is_finite, hu, np.float32(AIR_HU))


@dataclass(frozen=True)
class VolumeFile:
    """Describes a volume that stays in its file; the file is open only while `voxels` are used."""

    path: str
    proxy: ArrayProxy

    def voxels(self) -> Voxels:
        stored = np.asarray(self.proxy.get_unscaled())
        return Voxels(stored, self.proxy.slope, self.proxy.inter, self.path)


def open_file(path: str, spacing_mm: Sequence[float]) -> VolumeFile | None:
    """Opens a volume in its file, reading only the header; None where the grid is another.

    The grid is that of uncompressed NIfTI in RAS with this spacing (x, y, z), in 3D.

    Raises:
        InputError: the file is shorter than its header says.
    """
    image = nib.load(path, mmap="r") if str(path).endswith(".nii") else None
    if image is None or len(image.shape) != 3 or image.dataobj.dtype.kind not in "iuf":
        return None
    is_ras = nib.aff2axcodes(image.affine) == ("R", "A", "S")
    difference_mm = np.abs(voxel_sizes(image.affine) - spacing_mm).max()
    if not is_ras or difference_mm > SPACING_TOLERANCE_MM:
        return None
    proxy = image.dataobj
    if os.path.getsize(path) < proxy.offset + prod(proxy.shape) * proxy.dtype.itemsize:
        raise InputError(f"{path} is cut short or damaged; replace or remove it.")
    return VolumeFile(str(path), proxy)
