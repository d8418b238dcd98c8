# generated from common/data/image_reader.py, do not edit: `make copies`
"""Reads images of every format: NIfTI, MetaImage and NRRD files, and CT series of DICOM files."""

from pathlib import Path

import numpy as np
from monai.transforms import Spacingd as MonaiSpacingd
from monai.utils import MetaKeys, SpaceKeys

from ..errors import InputError
from .dicom.file_kind import is_dicom
from .dicom.series_names import read_named_series
from .formats import is_image_name
from .nifti import VolumeReader


class ImageReader(VolumeReader):
    """Reads image files and DICOM series for `LoadImaged`, on the grid of the file or series.

    A path is that of a file, that of a folder with one series, or a name of `find_series`.

    MONAI's `PydicomReader` takes all files of a folder for one series, in the order of their
    instance numbers: that reader mixes series, leaves out slices without a number, and closes gaps.

    Raises:
        InputError: the series is no CT, or a volume of its slices would be a guess.
    """

    def get_data(self, img: tuple[str, ...]) -> tuple[np.ndarray, dict]:
        """Reads voxels and metadata of an image file or a DICOM series."""
        path = Path(img[0])
        if path.is_file() and not is_image_name(path.name) and is_dicom(path):
            raise InputError(f"{path} is one slice of a DICOM series; give its folder.")
        folder = path if path.is_dir() else path.parent
        is_series = path == folder or not is_image_name(path.name)
        if path.is_file() or not folder.is_dir() or not is_series:
            return super().get_data(img)
        if self.modality != "CT" or self.channels != 1:
            raise InputError(f"{path} is DICOM, which is read for CT alone; convert it to NIfTI.")
        if self.msd_orientation:
            raise InputError(
                f"{path} is DICOM, whose orientation is right; leave out --msd_orientation, which "
                "is for files of the Decathlon."
            )
        values, affine = read_named_series(str(path))
        meta = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(values.shape),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        }
        return values, meta


class Spacingd(MonaiSpacingd):
    """Resamples as MONAI's `Spacingd`, which here sees its own keys alone.

    MONAI's takes every item whose name begins with `image_` for metadata and updates that item;
    MONAI Label's `image_path` is a text and has no `update`.
    """

    def __call__(self, data, lazy: bool | None = None) -> dict:
        images = {key: data[key] for key in self.key_iterator(data)}
        return {**data, **super().__call__(images, lazy)}
