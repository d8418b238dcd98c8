"""Reads images of every format: NIfTI, MetaImage and NRRD files, and CT series of DICOM files."""

import logging
from pathlib import Path

import numpy as np
from monai.transforms import Spacingd as MonaiSpacingd
from monai.utils import MetaKeys, SpaceKeys

from ..errors import InputError
from .formats import is_image_name
from .image_folder import FoundImages, find_in_folder, is_dicom
from .nifti import VolumeReader
from .walk import list_files

# At import, not at the first series: a server may have taken `scripts` off the path by then.
try:
    from .dicom import headers
    from .dicom.find_series import scan_folder
    from .dicom.read import read_series
    from .dicom.volume import RejectedError

    MISSING_PACKAGE = None
except ModuleNotFoundError as error:  # only users of DICOM need these packages
    MISSING_PACKAGE = error.name

logger = logging.getLogger(__name__)

MIN_SLICES = 2  # with fewer, nothing tells how far apart they are


class ImageReader(VolumeReader):
    """Reads image files and DICOM series for `LoadImaged`, on the grid of the file or series.

    A path is that of a file, that of a folder with one series, or a name of `series_in`.

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
        values, affine = _read(series_in(str(folder)), str(path))
        meta = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(values.shape),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        }
        return values, meta


def find_series(dataset_dir: str) -> list[str]:
    """Finds the CT series in a folder and its sub-folders; see `series_below`."""
    return series_below(find_in_folder(dataset_dir))


def series_below(found: FoundImages) -> list[str]:
    """Returns the CT series in a folder and its sub-folders: names of `series_in`, sorted.

    Hidden folders are left out. A folder with DICOM files and no CT series is noted in `found`.

    Raises:
        InputError: there are DICOM files, and the packages that read DICOM are not installed.
    """
    series_names = []
    for folder in found.dicom_folders():
        series = series_in(str(Path(found.root, folder)))
        series_names += series
        if not series:
            found.leave_out(folder, "DICOM files without a CT series")
    return sorted(series_names)


def series_in(folder: str) -> dict[str, list[dict]]:
    """Finds the CT series among a folder's own files, sub-folders left out.

    A single series has the folder's name, several are named `<folder>/<series' UID>`. Overviews to
    plan a scan and objects that are no CT (reports, segmentations, MRI) are left out. A damaged
    file beside several series may belong to any of the series: the log names the file.

    Returns:
        By name the slices' headers, see `headers.read`.

    Raises:
        InputError: the packages that read DICOM are not installed.
    """
    _check_installed()
    scan = scan_folder(Path(folder), "", list_files(folder))
    for name, kind, _ in scan["rejected"]:
        if kind in ("damaged file", "empty file"):
            logger.warning(f"{Path(folder, name)} ({kind}) is left out: its series is not known")
    series: dict[str, list[dict]] = {}
    for slices in scan["series"].values():
        header = next(item for item in slices if "broken" not in item)
        if header["modality"] != "CT" or headers.is_localizer(header):
            continue
        name = str(Path(folder, header["uid"] or "series"))
        while name in series:  # parts of one series that do not lie on one grid
            name += "_2"
        series[name] = [{**item, "path": str(Path(folder, item["name"]))} for item in slices]
    return {folder: next(iter(series.values()))} if len(series) == 1 else series


def _read(series: dict[str, list[dict]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads HU (X, Y, Z) and affine of one of a folder's series."""
    if name not in series:
        others = f"it holds {len(series)}: {', '.join(series)}" if series else "there is none"
        raise InputError(f"{name} is not one CT series of DICOM files; {others}.")
    try:
        volume = read_series(series[name], MIN_SLICES)
    except RejectedError as reason:
        raise InputError(f"{name} is no usable CT series ({reason}); mend or remove it.") from None
    return volume.values, volume.affine


def _check_installed() -> None:
    if MISSING_PACKAGE:
        raise InputError(
            f"{MISSING_PACKAGE} is not installed, and DICOM files need it: `pip install pydicom "
            "python-gdcm`, or convert the series to NIfTI."
        )


class Spacingd(MonaiSpacingd):
    """Resamples as MONAI's `Spacingd`, which here sees its own keys alone.

    MONAI's takes every item whose name begins with `image_` for metadata and updates that item;
    MONAI Label's `image_path` is a text and has no `update`.
    """

    def __call__(self, data, lazy: bool | None = None) -> dict:
        images = {key: data[key] for key in self.key_iterator(data)}
        return {**data, **super().__call__(images, lazy)}
