# generated from common/data/dicom/series_names.py, do not edit: `make copies`
"""Names the CT series of folders, and reads a series by its name."""

import logging
import os
import re
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..image_folder import FoundImages, find_in_folder
from .folder_series import (
    MISSING_PACKAGE,
    Series,
    describe_left_out,
    first_header,
    series_in,
    uid_in_path,
)

if not MISSING_PACKAGE:
    from . import spread
    from .read import read_series
    from .volume import RejectedError

logger = logging.getLogger(__name__)

MIN_SLICES = 2  # with fewer, nothing tells how far apart they are
IN_FOLDERS = re.compile(r"(.+)_in_(\d+)_folders")  # the last part of such a series' name


def find_series(dataset_dir: str) -> list[str]:
    """Finds the CT series in a folder and its sub-folders; see `series_below`."""
    return series_below(find_in_folder(dataset_dir))


def series_below(found: FoundImages) -> list[str]:
    """Returns the CT series in a folder and its sub-folders: names, sorted.

    A name is one of `series_in`, or `<common folder>/<series' UID>_in_2_folders` for a series whose
    slices lie in two. Hidden folders are left out. A folder with DICOM files and no CT series, or
    with others beside it, is noted in `found`.

    Raises:
        InputError: there are DICOM files, and the packages that read DICOM are not installed.
    """
    series_names, places = [], {}
    for relative in found.dicom_folders():
        folder = os.path.join(found.root, relative) if relative else found.root
        series = series_in(folder)
        if not series:
            found.leave_out(relative, "DICOM files without a CT series")
        elif words := describe_left_out(folder):
            found.leave_out(relative, f"series beside a CT: {words}")
        series_names += series
        for name, slices in series.items():
            places.setdefault(_key(slices), []).append(name)
    for uid, names in places.items():
        if len(names) > 1 and (joined := _join(uid, names)):
            series_names = [*(name for name in series_names if name not in names), joined]
    return sorted(series_names)


def read_named_series(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads HU (X, Y, Z) and affine of the series of a name of `find_series`.

    Raises:
        InputError: there is no such series, or a volume of its slices would be a guess.
    """
    path = Path(name)
    if not path.is_dir() and IN_FOLDERS.fullmatch(path.name):
        series = _series_in_folders(path)
    else:
        series = series_in(str(path if path.is_dir() else path.parent))
    if name not in series:
        others = f"it holds {len(series)}: {', '.join(series)}" if series else "there is none"
        raise InputError(f"{name} is not one CT series of DICOM files; {others}.")
    try:
        volume = read_series(series[name], MIN_SLICES)
    except RejectedError as reason:
        raise InputError(f"{name} is no usable CT series ({reason}); mend or remove it.") from None
    if volume.repairs:
        logger.warning(f"{name}: {'; '.join(volume.repairs)}")
    return volume.values, volume.affine


def _join(uid: str, names: list[str]) -> str | None:
    """Names the one series that lies in several folders; None, and a warning, if it is several."""
    folders = [name if os.path.isdir(name) else str(Path(name).parent) for name in names]
    obstacle = spread.find_obstacle(series_in(folder)[name] for folder, name in zip(folders, names))
    if obstacle:
        logger.warning(
            f"{' and '.join(names)} have one SeriesInstanceUID and are not put together: {obstacle}"
        )
        return None
    return str(Path(os.path.commonpath(folders), f"{uid}_in_{len(names)}_folders"))


def _series_in_folders(path: Path) -> Series:
    """Finds the one series that lies in several folders below a name's folder; {} if it does not.

    Args:
        path: a name of `find_series` that ends in `_in_2_folders`.
    """
    uid, count = IN_FOLDERS.fullmatch(path.name).groups()
    parts = [
        slices
        for folder in find_in_folder(path.parent).dicom_folders()
        for slices in series_in(str(path.parent / folder)).values()
        if uid_in_path(slices) == uid
    ]
    if len(parts) != int(count) or spread.find_obstacle(parts):
        return {}
    return {str(path): [item for slices in parts for item in slices]}


def _key(slices: list[dict]) -> str:
    """Returns the values that the slices of one series share in any folder."""
    has_uid = first_header(slices)["uid"] is not None
    return uid_in_path(slices) if has_uid else slices[0]["path"]
