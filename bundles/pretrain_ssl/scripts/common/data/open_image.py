# generated from common/data/open_image.py, do not edit: `make copies`
"""Opens images of every format but DICOM as nibabel images: NIfTI, MetaImage and NRRD."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.openers import ImageOpener

from ..errors import InputError
from .formats import ITK_ENDINGS, NIFTI_ENDINGS, OTHER_FORMATS, PAIR_ENDING, ending_of
from .itk_image import open_by_itk

COMPRESSED = (".gz", ".bz2", ".zst")
CHUNK = 1 << 20  # bytes
# Written into every image that a bundle makes, by which a later run knows it from the input's.
MADE_BY_US = b"made by an inference of a Swin UNETR bundle"


def open_image(path: str | Path) -> nib.spatialimages.SpatialImage:
    """Opens an image; its voxels are read when they are used.

    Raises:
        InputError: the format is not read (Analyze has no orientation), or its package is not
            installed, or cannot open the name.
        Exception: the file is damaged; of a different class for each way.
    """
    ending = ending_of(str(path))
    if ending in ITK_ENDINGS:
        return open_by_itk(str(path))
    has_header = is_pair(Path(path).with_suffix(PAIR_ENDING))
    if ending in OTHER_FORMATS and os.path.exists(path) and not has_header:
        raise InputError(f"{path} is no image that is read: {OTHER_FORMATS[ending]}.")
    if ending in NIFTI_ENDINGS and not str(path).endswith(NIFTI_ENDINGS):
        return _open_nifti_of_any_case(path)
    return nib.load(path)


def read_voxels(
    image: nib.spatialimages.SpatialImage, dtype: np.dtype | type | None = None
) -> np.ndarray:
    """Reads all voxels of an opened image.

    Of a compressed file the checksum is compared, which lies behind the voxels: nibabel stops
    before it, and gives wrong voxels where a bit has changed on the disk.

    Args:
        image: of `open_image`.
        dtype: of the array; None is the file's own, or float64 where the file scales its voxels.

    Raises:
        OSError, EOFError, ValueError, zlib.error: the voxels are cut short or damaged.
    """
    proxy, path = image.dataobj, image.file_map["image"].filename
    if not isinstance(proxy, ArrayProxy) or not str(path).lower().endswith(COMPRESSED):
        return np.asanyarray(proxy, dtype)
    with ImageOpener(path) as stream:
        spec = proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter
        values = np.asanyarray(ArrayProxy(stream, spec), dtype)
        while stream.read(CHUNK):  # to the end, where the checksum is
            pass
    return values


def is_pair(path: Path) -> bool:
    """Tells whether a file is the header of a NIfTI image in two files, and not of Analyze."""
    try:
        if path.suffix.lower() != PAIR_ENDING:
            return False
        with path.open("rb") as file:
            return file.read(348)[344:347] == b"ni1"
    except OSError:
        return False


def is_made_by_us(path: str | Path) -> bool:
    """Tells by its header whether a file was written by the inference of one of the bundles."""
    try:
        return open_image(path).header["descrip"].item() == MADE_BY_US
    except Exception:  # whoever uses the file says what is wrong with it
        return False


def _open_nifti_of_any_case(path: str | Path) -> nib.Nifti1Image:
    """Opens `A.Nii.GZ`, for which `nib.load` looks for a file of another name."""
    file_map = {"image": nib.FileHolder(os.fspath(path))}
    with file_map["image"].get_prepare_fileobj("rb") as file:
        size = file.read(4)
    is_second = 540 in (int.from_bytes(size, "little"), int.from_bytes(size, "big"))
    return (nib.Nifti2Image if is_second else nib.Nifti1Image).from_file_map(file_map)
