# generated from common/data/open_image.py, do not edit: `make copies`
"""Opens images of every format but DICOM as nibabel images: NIfTI, MetaImage and NRRD."""

import os
import re
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np

from ..errors import InputError
from .formats import ITK_ENDINGS, NIFTI_ENDINGS, OTHER_FORMATS, PAIR_ENDING, ending_of

# Written into every image that a bundle makes, by which a later run knows it from the input's.
MADE_BY_US = b"made by an inference of a Swin UNETR bundle"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEAD = 65536  # bytes, more than a header in text has
# A header without such a line leaves the orientation to the reader.
ORIENTATION = re.compile(rb"^(TransformMatrix|Orientation|Rotation|space directions)\s*[=:]", re.M)


def open_image(path: str | Path) -> nib.spatialimages.SpatialImage:
    """Opens an image; its voxels are read when they are used.

    Raises:
        InputError: the format is not read (Analyze has no orientation), or its package is not
            installed, or cannot open the name.
        Exception: the file is damaged; of a different class for each way.
    """
    ending = ending_of(str(path))
    if ending in ITK_ENDINGS:
        return _open_by_itk(str(path))
    has_header = is_pair(Path(path).with_suffix(PAIR_ENDING))
    if ending in OTHER_FORMATS and os.path.exists(path) and not has_header:
        raise InputError(f"{path} is no image that is read: {OTHER_FORMATS[ending]}.")
    if ending in NIFTI_ENDINGS and not str(path).endswith(NIFTI_ENDINGS):
        return _open_nifti_of_any_case(path)
    return nib.load(path)


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


def _import_itk(path: str) -> ModuleType:
    """Imports SimpleITK when it is needed: it is large, and only these formats need it."""
    try:
        import SimpleITK
    except ModuleNotFoundError:
        raise InputError(
            f"{path} needs SimpleITK, which is not installed: `pip install SimpleITK`, or convert "
            "the file to NIfTI."
        ) from None
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # would print into the progress bar
    return SimpleITK


def _open_by_itk(path: str) -> nib.Nifti1Image:
    """Opens MetaImage or NRRD as the NIfTI image with the same grid, in RAS."""
    _import_itk(path)
    try:
        path.encode()
    except UnicodeEncodeError:
        name = path.encode(errors="backslashreplace").decode()
        raise InputError(f"{name} has a name that is not UTF-8; rename the file.") from None
    with open(path, "rb") as file:  # a missing file is Python's own error
        head = file.read(HEAD)
    proxy = ItkVoxels(path)
    header = nib.Nifti1Header()
    header.set_data_dtype(proxy.dtype)
    header.set_xyzt_units("mm")
    image = nib.Nifti1Image(proxy, proxy.affine, header)
    # as in NIfTI: code 0 says that the file has no orientation
    code = int(ORIENTATION.search(head) is not None)
    image.set_sform(proxy.affine, code)
    image.set_qform(proxy.affine, code)
    image.file_map["image"].filename = path
    return image


class ItkVoxels:
    """Reads the voxels of a file when they are used, as nibabel's `ArrayProxy` does.

    Args:
        path: of a MetaImage or NRRD file.
    """

    is_proxy = True
    slope, inter = 1.0, 0.0

    def __init__(self, path: str) -> None:
        self.path = path
        itk, reader = _import_itk(path), self._reader()
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise OSError(f"{path} cannot be read: {str(error).splitlines()[-1]}") from error
        components = reader.GetNumberOfComponents()
        self.shape = tuple(reader.GetSize()) + ((components,) if components > 1 else ())
        self.ndim = len(self.shape)
        pixels = reader.GetPixelID()
        self.dtype = itk.GetArrayFromImage(itk.Image([1, 1], pixels, components)).dtype
        axes = min(reader.GetDimension(), 3)
        direction = np.reshape(reader.GetDirection(), (reader.GetDimension(), -1))
        self.affine = np.eye(4)
        self.affine[:axes, :axes] = (direction * reader.GetSpacing())[:axes, :axes]
        self.affine[:axes, 3] = reader.GetOrigin()[:axes]
        self.affine = LPS_TO_RAS @ self.affine

    def _reader(self):
        """Returns a reader of the file; ITK by itself knows `.mha` in small letters alone."""
        itk = _import_itk(self.path)
        reader = itk.ImageFileReader()
        is_nrrd = ending_of(self.path) in (".nrrd", ".nhdr")
        reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
        reader.SetFileName(self.path)
        return reader

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        try:
            image = self._reader().Execute()
        except RuntimeError as error:
            raise OSError(f"{self.path} cannot be read: {str(error).splitlines()[-1]}") from error
        # axes in reverse, but for components at the end
        values = _import_itk(self.path).GetArrayFromImage(image)
        spatial = image.GetDimension()
        values = values.transpose(*range(spatial - 1, -1, -1), *range(spatial, values.ndim))
        return values if dtype is None else values.astype(dtype, copy=False)

    def __getitem__(self, index) -> np.ndarray:
        return np.asarray(self)[index]
