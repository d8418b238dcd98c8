# generated from common/data/dicom/folder_series.py, do not edit: `make copies`
"""Scans a folder for its CT series, and names each."""

import logging
import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

from ...errors import InputError

# At import, not at the first series: a server may have taken `scripts` off the path by then.
try:
    import gdcm  # noqa: F401  the voxels need it

    from . import headers
    from .scan_folder import scan_folder

    MISSING_PACKAGE = None
except ModuleNotFoundError as error:  # only users of DICOM need these packages
    MISSING_PACKAGE = error.name

logger = logging.getLogger(__name__)

Series = dict[str, list[dict]]  # by name the slices' headers, see `headers.read`


def series_in(folder: str) -> Series:
    """Finds the CT series among a folder's own files, sub-folders left out.

    A single series has the folder's name, several are named `<folder>/<series' UID>`. Overviews to
    plan a scan and objects that are no CT (reports, segmentations, MRI) are left out. A damaged
    file beside several series may belong to any of the series: the log names the file.

    Raises:
        InputError: the packages that read DICOM are not installed.
    """
    scan = _scan(folder)
    for name, kind, _ in scan["rejected"]:
        if kind in ("damaged file", "empty file"):
            logger.warning(f"{Path(folder, name)} ({kind}) is left out: its series is not known")
    series: Series = {}
    for slices in scan["series"].values():
        if _left_out(slices):
            continue
        name = str(Path(folder, uid_in_path(slices)))
        while name in series:  # not known to happen: a folder's keys differ by their UID
            name += "_2"
        series[name] = [{**item, "path": str(Path(folder, item["name"]))} for item in slices]
    return {folder: next(iter(series.values()))} if len(series) == 1 else series


def describe_left_out(folder: str) -> str:
    """Returns in words how many of a folder's series are no CT; "" for none."""
    kinds = Counter(
        reason for slices in _scan(folder)["series"].values() if (reason := _left_out(slices))
    )
    return ", ".join(f"{count} of {kind}" for kind, count in sorted(kinds.items()))


def _left_out(slices: list[dict]) -> str | None:
    """Returns the kind of a series that is left out; None for a CT."""
    header = first_header(slices)
    if headers.is_localizer(header):
        return "localizer"
    return None if header["modality"] == "CT" else header["modality"] or "no modality"


def first_header(slices: list[dict]) -> dict:
    """Returns the first header that could be read."""
    return next(item for item in slices if "broken" not in item)


def uid_in_path(slices: list[dict]) -> str:
    """Returns the series' UID as the last part of a path."""
    return re.sub(r"[^0-9A-Za-z.]|^\.+$", "_", first_header(slices)["uid"] or "series")


def _scan(folder: str) -> dict:
    """Scans a folder, once for all its series."""
    _check_installed()
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.is_file()]
        stats = sorted((entry.name, *_size_and_time(entry)) for entry in files)
    return _scan_once(folder, tuple(stats))


@lru_cache(maxsize=1)
def _scan_once(folder: str, stats: tuple) -> dict:
    """Scans a folder, unless it was the last one and its files' sizes and times are the same."""
    return scan_folder(Path(folder), "", [name for name, *_ in stats])


def _size_and_time(entry: os.DirEntry) -> tuple[int, int]:
    try:
        status = entry.stat()
    except OSError:  # a link that leads nowhere
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _check_installed() -> None:
    if MISSING_PACKAGE:
        raise InputError(
            f"{MISSING_PACKAGE} is not installed, and DICOM files need it: `pip install pydicom "
            "python-gdcm`, or convert the series to NIfTI."
        )
