# generated from common/data/dicom/scan_folder.py, do not edit: `make copies`
"""Finds the DICOM series and NIfTI files of one folder, by the files' content."""

from collections import defaultdict
from pathlib import Path

from ..formats import IMAGE_ENDINGS, OTHER_FORMATS, ending_of
from . import headers
from .file_kind import DICOM_SUFFIXES, REASONS, detect_kind, has_nifti_header


def scan_folder(source: Path, folder: str, names: list[str]) -> dict:
    """Scans one folder of the source, and sorts its files by kind.

    Args:
        source: the archive.
        folder: relative to the source; "" is the source itself.
        names: of the folder's files.

    Returns:
        `series`: by key (see `headers.series_key`) the slices' headers, each with its `name`;
        `niftis`: by name the number of files (2 of a pair); `rejected`: [name, kind, detail];
        `others`: how many files are no images.
    """
    scan = {"series": {}, "niftis": {}, "rejected": [], "others": 0}
    if any(part.startswith(".") for part in Path(folder).parts):
        scan["others"] = len(names)
        return scan
    slices, broken = defaultdict(list), []
    for name in names:
        path = source / folder / name
        kind = detect_kind(path)
        if kind == "dicom":
            try:
                header = headers.read(path)
            except headers.BrokenError as error:
                broken.append([name, "damaged file", str(error)])
                continue
            if header is None:  # a DICOM object that is no image, such as a DICOMDIR
                scan["others"] += 1
                continue
            key = headers.series_key(header)
            slices[key].append({"name": name, **header})
        elif kind == "nifti":
            has_pair = Path(name).suffix == ".hdr" and f"{Path(name).stem}.img" in names
            scan["niftis"][name] = 1 + has_pair
            scan["others"] -= has_pair  # the voxels of a pair are no file of their own
        elif kind == "other" or (kind == "format" and has_nifti_header(path)):
            scan["others"] += 1
        elif kind == "format":
            scan["rejected"].append([name, REASONS[kind][0], OTHER_FORMATS[ending_of(name)]])
        elif kind == "empty" and ending_of(name) not in IMAGE_ENDINGS:
            broken.append([name, *REASONS[kind]])
        else:
            scan["rejected"].append([name, *REASONS[kind]])
    slices = _gather_single_slices(slices)
    _assign_broken_files(broken, slices, scan)
    scan["series"] = slices
    return scan


def _assign_broken_files(
    broken: list[list[str]], slices: dict[str, list[dict]], scan: dict
) -> None:
    """Assigns DICOM files that cannot be read to the folder's only series.

    Unless the folder has exactly one series, such files are rejected one by one. An empty file
    whose suffix is not the slices' is no image.
    """
    suffixes = {Path(item["name"]).suffix for items in slices.values() for item in items}
    for name, kind, detail in broken:
        suffix = Path(name).suffix
        if suffix not in suffixes and suffix.lower() not in DICOM_SUFFIXES[1:]:
            scan["others"] += 1
        elif len(slices) == 1:
            slices[next(iter(slices))].append({"name": name, "broken": kind})
        else:
            scan["rejected"].append([name, kind, detail])


def _gather_single_slices(slices: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Gathers CT slices that each have a series' UID of their own, so that they get one sentence.

    Nothing but the folder says that such slices belong together: the series is rejected.
    """
    single = {
        key: items
        for key, items in slices.items()
        if len(items) == 1
        and items[0]["modality"] == "CT"
        and not (headers.is_localizer(items[0]) or headers.is_multi_frame(items[0]))
    }
    if len(single) < 2:
        return dict(slices)
    gathered = [item for items in single.values() for item in items]
    others = {key: items for key, items in slices.items() if key not in single}
    return {**others, headers.SINGLE_SLICES: gathered}
