# generated from common/data/nifti.py, do not edit: `make copies`
"""Checks, reads and writes NIfTI files."""

import logging
import warnings
import zlib
from collections.abc import Sequence

import nibabel as nib
import numpy as np
from monai.data import NibabelReader, NibabelWriter
from monai.utils import ensure_tuple

from ..atomic_write import explained, replacing
from ..errors import InputError
from .msd_orientation import MSD_ORIENTATION, turn
from .nifti_affine import affine_mm
from .nifti_header import open_nifti, output_header, warn_of
from .open_image import read_voxels

logger = logging.getLogger(__name__)

# Where pydicom is installed too, MONAI looks for a GPU's DICOM decoder whenever it reads anything.
warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)

MAX_LABEL_ERROR = 1e-3  # of a label's number; more is no rounding
AIR_BELOW_HU = -300.0  # every CT shows some air or lung; images without are probably not in HU


class VolumeReader(NibabelReader):
    """Reads NIfTI files for `LoadImaged`, and names a file whose voxels cannot be used.

    Args:
        modality: "CT" warns about an image that does not look like Hounsfield units; "label" and
            "MRI" have no such scale.
        channels: of an image; more than one are the fourth axis of its file.
        channel_names: the content of each channel, for the error when a channel is missing.
        msd_orientation: correct the affine, see `msd_orientation`; the writer undoes it.

    Raises:
        InputError: see `open_nifti`; the voxels are truncated, unreadable, or none is finite. A
            few voxels that are not finite become the smallest finite value, with a warning.
    """

    def __init__(
        self,
        modality: str = "CT",
        channels: int = 1,
        channel_names: Sequence[str] = (),
        msd_orientation: bool = False,
    ) -> None:
        super().__init__()
        self.modality, self.channels, self.channel_names = modality, channels, channel_names
        self.msd_orientation = msd_orientation

    def read(self, data, **kwargs) -> tuple[str, ...]:
        """Returns the paths alone: on an error here `LoadImaged` would try other readers."""
        return ensure_tuple(data)

    def get_data(self, img: tuple[str, ...]) -> tuple[np.ndarray, dict]:
        """Checks the headers, then reads voxels and metadata."""
        volumes = [open_nifti(path, self.channels, self.channel_names) for path in img]
        for path, volume in zip(img, volumes):
            warn_of(path, volume.notes)
        self.filenames = img
        values, meta = super().get_data([volume.image for volume in volumes])
        return values, meta | ({MSD_ORIENTATION: True} if self.msd_orientation else {})

    def _get_affine(self, img) -> np.ndarray:
        affine = affine_mm(img.header)
        return turn(affine) if self.msd_orientation else affine

    def _get_array_data(self, img, filename) -> np.ndarray:
        is_scaled = (img.dataobj.slope, img.dataobj.inter) != (1, 0)
        try:  # by itself nibabel scales to float64, which takes twice the memory
            data = read_voxels(img, np.float32 if is_scaled else None)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(
                f"{filename} is cut short or damaged; replace or remove it."
            ) from error
        if data.dtype.kind == "f":
            data = data.astype(np.float32, copy=False) if data.itemsize > 8 else data
            data = self._replace_not_finite(data, filename)
            data = self._round(data, filename) if self.modality == "label" else data
        if self.modality == "CT" and data.min() == data.max():
            warnings.warn(f"{filename} shows nothing: all voxels are {data.min():g}", stacklevel=1)
        elif self.modality == "CT" and data.min() > AIR_BELOW_HU:
            warnings.warn(
                f"{filename}: values from {data.min():g} to {data.max():g} do not look like "
                "Hounsfield units (air is near -1000); check its rescale slope and intercept.",
                stacklevel=1,
            )
        return data

    @staticmethod
    def _round(values: np.ndarray, filename: str) -> np.ndarray:
        """Rounds labels near whole numbers, as resampling leaves them, with a warning."""
        rounded = np.rint(values)
        distance = np.abs(values - rounded)
        is_near = distance <= MAX_LABEL_ERROR
        if distance[is_near].any():
            furthest = distance[is_near].max()
            text = f"{filename}: labels up to {furthest:.2g} off a whole number are rounded"
            warnings.warn(text, stacklevel=1)
        return np.where(is_near, rounded, values)

    def _replace_not_finite(self, data: np.ndarray, filename: str) -> np.ndarray:
        """Replaces NaN and infinity by the smallest finite value, with a warning."""
        is_finite = np.isfinite(data)
        if is_finite.all():
            return data
        if self.modality == "label":
            raise InputError(f"{filename} holds NaN, which no label has; mend the file.")
        if not is_finite.any():
            raise InputError(f"{filename} holds no finite voxel (all NaN); replace or remove it.")
        warnings.warn(f"{filename}: {np.sum(~is_finite)} voxels are not finite", stacklevel=1)
        return np.where(is_finite, data, data[is_finite].min())


class LabelFiles(VolumeReader):
    """Reads label files for `LoadImaged`; see `VolumeReader`."""

    def __init__(self, msd_orientation: bool = False) -> None:
        super().__init__("label", msd_orientation=msd_orientation)


class VolumeWriter(NibabelWriter):
    """Writes NIfTI files for `SaveImaged`: complete or not at all, should the process be killed."""

    def set_data_array(self, *args, squeeze_end_dims: bool = True, **kwargs) -> None:
        """Takes a volume; one slice (X, Y, 1) stays 3D, of which MONAI makes a 2D file."""
        super().set_data_array(*args, squeeze_end_dims=False, **kwargs)
        if squeeze_end_dims and self.data_obj.ndim == 4 and self.data_obj.shape[3] == 1:
            self.data_obj = self.data_obj[..., 0]

    def set_metadata(self, meta_dict=None, resample: bool = False, **options) -> None:
        """Takes the affine as it is: the data have been resampled to the image's grid before.

        MONAI's own method resamples even then, and fails on axes that are permuted.
        """
        _, affine, _ = self.get_meta_info(meta_dict)
        self.affine = np.asarray(affine, dtype=np.float64)
        self.meta = meta_dict or {}
        if self.meta.get(MSD_ORIENTATION):  # the file gets the affine of its image's file
            self.affine = turn(self.affine)

    def write(self, filename, verbose: bool = False, **kwargs) -> None:
        """Writes under a temporary name, then renames the file; `verbose` logs the file's name.

        Raises:
            InputError: the file cannot be written, because the disk is full for instance.
        """
        remedy = "make room, or mend the folder's rights"
        with explained(filename, remedy), replacing(filename) as temporary:
            self.save(temporary, **kwargs)
        if verbose:
            logger.info(f"written: {filename}")

    def save(self, path, **kwargs) -> None:
        """Writes the file under a name, with the header of the image where the grid is the same."""
        values = np.asarray(self.data_obj).astype(self.output_dtype, copy=False)
        header = output_header(self.meta, self.affine, values.shape)
        header.set_data_dtype(values.dtype)
        nib.save(nib.Nifti1Image(values, header.get_best_affine(), header), path)
