"""Checks, reads and writes NIfTI files."""

import logging
import warnings
import zlib

import nibabel as nib
import numpy as np
from monai.data import NibabelReader, NibabelWriter
from monai.data.utils import correct_nifti_header_if_necessary
from monai.utils import ensure_tuple

from ..atomic_write import replacing
from ..errors import InputError
from .open_image import MADE_BY_US, open_image

logger = logging.getLogger(__name__)

# Where pydicom is installed too, MONAI looks for a GPU's DICOM decoder whenever it reads anything.
warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)

AIR_BELOW_HU = -300.0  # every CT shows some air or lung; images without are probably not in HU


def check_header(path: str, channels: int = 1) -> str:
    """Checks the header of a 3D volume (4D when `channels` > 1), and returns the path.

    Raises:
        InputError: the file is unreadable, of another shape, or without a usable affine.
    """
    try:
        header = open_image(path)
        shape, affine = header.shape, header.affine
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; remove it from the datalist.") from error
    except InputError:
        raise
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        raise InputError(f"{path} cannot be read as an image; replace or remove it.") from error
    n_channels = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or n_channels != channels or min(shape) < 1:
        expected = "a 3D volume" if channels == 1 else f"4D with {channels} channels last"
        raise InputError(f"{path} has shape {shape}, expected {expected}; convert or remove it.")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise InputError(f"{path} has a singular affine; repair its header or remove it.")
    return path


class VolumeReader(NibabelReader):
    """Reads NIfTI files for `LoadImaged`, and names a file whose voxels cannot be used.

    Args:
        modality: "CT" warns about an image that does not look like Hounsfield units; "label" and
            "MRI" have no such scale.
        channels: of an image; more than one are the fourth axis of its file.

    Raises:
        InputError: see `check_header`; the voxels are truncated, unreadable, or none is finite. A
            few voxels that are not finite become the smallest finite value, with a warning.
    """

    def __init__(self, modality: str = "CT", channels: int = 1) -> None:
        super().__init__()
        self.modality, self.channels = modality, channels

    def read(self, data, **kwargs) -> tuple[str, ...]:
        """Returns the paths alone: on an error here `LoadImaged` would try other readers."""
        return ensure_tuple(data)

    def get_data(self, img: tuple[str, ...]) -> tuple[np.ndarray, dict]:
        """Checks the headers, then reads voxels and metadata."""
        paths = [check_header(path, self.channels) for path in img]
        self.filenames = paths  # as MONAI's own `read` keeps them
        return super().get_data(
            [correct_nifti_header_if_necessary(open_image(path)) for path in paths]
        )

    def _get_array_data(self, img, filename) -> np.ndarray:
        is_scaled = (img.dataobj.slope, img.dataobj.inter) != (1, 0)
        try:  # by itself nibabel scales to float64, which takes twice the memory
            data = np.asanyarray(img.dataobj, np.float32 if is_scaled else None)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(
                f"{filename} is cut short or damaged; replace or remove it."
            ) from error
        if data.dtype.kind == "f":
            data = self._replace_not_finite(data, filename)
        if self.modality == "CT" and data.min() > AIR_BELOW_HU:
            warnings.warn(
                f"{filename}: values from {data.min():g} to {data.max():g} do not look like "
                "Hounsfield units (air is near -1000); check its rescale slope and intercept.",
                stacklevel=2,
            )
        return data

    @staticmethod
    def _replace_not_finite(data: np.ndarray, filename: str) -> np.ndarray:
        """Replaces NaN and infinity by the smallest finite value, with a warning."""
        is_finite = np.isfinite(data)
        if is_finite.all():
            return data
        if not is_finite.any():
            raise InputError(f"{filename} holds no finite voxel (all NaN); replace or remove it.")
        warnings.warn(f"{filename}: {np.sum(~is_finite)} voxels are not finite", stacklevel=3)
        return np.where(is_finite, data, data[is_finite].min())


class VolumeWriter(NibabelWriter):
    """Writes NIfTI files for `SaveImaged`: complete or not at all, should the process be killed."""

    def set_metadata(self, meta_dict=None, resample: bool = False, **options) -> None:
        """Takes the affine as it is: the data have been resampled to the image's grid before.

        MONAI's own method resamples even then, and fails on axes that are permuted.
        """
        _, self.affine, _ = self.get_meta_info(meta_dict)

    def write(self, filename, verbose: bool = False, **kwargs) -> None:
        """Writes under a temporary name, then renames the file; `verbose` logs the file's name.

        Raises:
            InputError: the file cannot be written, because the disk is full for instance.
        """
        try:
            with replacing(filename) as temporary:
                self.save(temporary, **kwargs)
        except OSError as error:
            raise InputError(
                f"{filename} cannot be written ({error.strerror or error}); make room, or mend the "
                "folder's rights."
            ) from error
        if verbose:
            logger.info(f"written: {filename}")

    def save(self, path, **kwargs) -> None:
        """Writes the file under the given name."""
        super().write(path, verbose=False, **kwargs)

    @classmethod
    def create_backend_obj(cls, *args, **kwargs) -> nib.Nifti1Image:
        """Makes the image to be saved, with the mark by which a later run knows it."""
        image = super().create_backend_obj(*args, **kwargs)
        image.header["descrip"] = MADE_BY_US
        return image
