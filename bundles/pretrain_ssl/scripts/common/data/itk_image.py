# generated from common/data/itk_image.py, do not edit: `make copies`
"""Opens MetaImage and NRRD files by SimpleITK, as nibabel images on the same grid."""

import re
from types import ModuleType

import nibabel as nib
import numpy as np

from ..errors import InputError
from .formats import ending_of
from .itk_checksum import HEAD, check_compression
from .nifti_affine import LPS_TO_RAS

# A header without such a line leaves the orientation to the reader.
ORIENTATION = re.compile(rb"^(TransformMatrix|Orientation|Rotation|space directions)\s*[=:]", re.M)


def open_by_itk(path: str) -> nib.Nifti1Image:
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
        check_compression(self.path)
        # axes in reverse, but for components at the end
        values = _import_itk(self.path).GetArrayFromImage(image)
        spatial = image.GetDimension()
        values = values.transpose(*range(spatial - 1, -1, -1), *range(spatial, values.ndim))
        return values if dtype is None else values.astype(dtype, copy=False)

    def __getitem__(self, index) -> np.ndarray:
        return np.asarray(self)[index]


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
