# generated from common/data/nifti.py, do not edit: `make copies`
"""NIfTI files: whether one can be used, reading it, writing it."""

import logging
import warnings
import zlib

import nibabel as nib
import numpy as np
from monai.data import NibabelReader, NibabelWriter
from monai.utils import ensure_tuple

from ..atomic_write import replacing
from ..errors import InputError

logger = logging.getLogger(__name__)

# Where pydicom is installed too, MONAI looks for a GPU's DICOM decoder whenever it reads anything.
warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)

NIFTI_ENDINGS = (".nii", ".nii.gz")
AIR_BELOW_HU = -300.0  # every CT shows some air or lung; images without are probably not in HU


def check_header(path: str, channels: int = 1) -> str:
    """The path of a 3D volume (4D when `channels` > 1), once its header has been found usable.

    Raises:
        InputError: unreadable, of another shape, or without a usable affine.
    """
    try:
        header = nib.load(path)
        shape, affine = header.shape, header.affine
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; remove it from the datalist.") from error
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        raise InputError(f"{path} cannot be read as an image; replace or remove it.") from error
    found = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or found != channels or min(shape) < 1:
        expected = "a 3D volume" if channels == 1 else f"4D with {channels} channels last"
        raise InputError(f"{path} has shape {shape}, expected {expected}; convert or remove it.")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise InputError(f"{path} has a singular affine; repair its header or remove it.")
    return path


class VolumeReader(NibabelReader):
    """`LoadImaged`'s NIfTI reader, which names the file when its voxels cannot be used.

    Args:
        modality: "CT" warns about an image that does not look like Hounsfield units; "label" and
            "MRI" have no such scale.
        channels: of an image; more than one are the fourth axis of its file.

    Raises:
        InputError: see `check_header`; truncated or unreadable, or not one finite voxel. A few
            voxels that are not finite become the smallest finite value, with a warning.
    """

    def __init__(self, modality: str = "CT", channels: int = 1) -> None:
        super().__init__()
        self.modality, self.channels = modality, channels

    def read(self, data, **kwargs) -> tuple[str, ...]:
        """The paths alone: where this raises, `LoadImaged` tries readers that refuse nothing."""
        return ensure_tuple(data)

    def get_data(self, img: tuple[str, ...]) -> tuple[np.ndarray, dict]:
        paths = [check_header(path, self.channels) for path in img]
        return super().get_data(super().read(paths))

    def _get_array_data(self, img, filename) -> np.ndarray:
        is_scaled = (img.dataobj.slope, img.dataobj.inter) != (1, 0)
        try:  # by itself nibabel scales to float64, which takes twice the memory
            data = np.asanyarray(img.dataobj, np.float32 if is_scaled else None)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(
                f"{filename} is cut short or damaged; replace or remove it."
            ) from error
        if data.dtype.kind == "f":
            data = self._finite(data, filename)
        if self.modality == "CT" and data.min() > AIR_BELOW_HU:
            warnings.warn(
                f"{filename}: values from {data.min():g} to {data.max():g} do not look like "
                "Hounsfield units (air is near -1000); check its rescale slope and intercept.",
                stacklevel=2,
            )
        return data

    @staticmethod
    def _finite(data: np.ndarray, filename: str) -> np.ndarray:
        is_finite = np.isfinite(data)
        if is_finite.all():
            return data
        if not is_finite.any():
            raise InputError(f"{filename} holds no finite voxel (all NaN); replace or remove it.")
        warnings.warn(f"{filename}: {np.sum(~is_finite)} voxels are not finite", stacklevel=3)
        return np.where(is_finite, data, data[is_finite].min())


class VolumeWriter(NibabelWriter):
    """`SaveImaged`'s NIfTI writer; a file is complete or absent, whenever the process is killed."""

    def set_metadata(self, meta_dict=None, resample: bool = False, **options) -> None:
        """Take the affine as it is: what is saved has been brought to the image's grid before.

        MONAI's own method resamples even then, and fails on axes that are permuted.
        """
        _, self.affine, _ = self.get_meta_info(meta_dict)

    def write(self, filename, verbose: bool = False, **kwargs) -> None:
        """Write beside the target under a temporary name, then rename; with `verbose`, say so.

        Raises:
            InputError: it cannot be written, because the disk is full for instance.
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
        """Write the file."""
        super().write(path, verbose=False, **kwargs)
