# generated from common/data/dicom/find_series.py, do not edit: `make copies`
"""Which files of an archive are images: one folder at a time, by content."""

from collections import defaultdict
from pathlib import Path

from ..nifti import NIFTI_ENDINGS
from . import headers

DICOM_SUFFIXES = ("", ".dcm", ".dicom", ".ima")
PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".dcm.gz")
OTHER_FORMATS = (".mha", ".mhd", ".nrrd", ".nhdr", ".mgz", ".mgh", ".mnc")
HEAD = 352  # bytes: a NIfTI header with its magic number; DICOM's stands at byte 128


def scan(source: Path, folder: str, names: list[str] | str) -> dict:
    """What the files of one folder of the source are.

    Args:
        source, folder, names: see `walk.folders`.

    Returns:
        `series`: by key (see `headers.series_key`) its slices' headers, each with its `name`;
        `niftis`: by name the number of files (2 of a pair); `rejected`: [name, kind, detail];
        `others`: how many files are no images.
    """
    found = {"series": {}, "niftis": {}, "rejected": [], "others": 0}
    if isinstance(names, str):
        found["rejected"].append(["", "folder that cannot be opened", names])
        return found
    if any(part.startswith(".") for part in Path(folder).parts):
        found["others"] = len(names)
        return found
    slices, broken = defaultdict(list), []
    for name in names:
        path = source / folder / name
        kind = kind_of(path)
        if kind == "dicom":
            try:
                header = headers.read(path)
            except headers.BrokenError as error:
                broken.append([name, "damaged file", str(error)])
                continue
            if header is None:  # a DICOM object that is no image, such as a DICOMDIR
                found["others"] += 1
                continue
            key = headers.series_key(header)
            slices[key].append({"name": name, **header})
        elif kind == "nifti":
            has_pair = Path(name).suffix == ".hdr" and f"{Path(name).stem}.img" in names
            found["niftis"][name] = 1 + has_pair
            found["others"] -= has_pair  # the voxels of a pair are no file of their own
        elif kind == "other":
            found["others"] += 1
        elif kind == "empty" and not name.endswith(NIFTI_ENDINGS):
            broken.append([name, *REASONS[kind]])
        else:
            found["rejected"].append([name, *REASONS[kind]])
    _place(broken, slices, found)
    found["series"] = dict(slices)
    return found


def _place(broken: list[list[str]], slices: dict[str, list[dict]], found: dict) -> None:
    """Files that should be DICOM and cannot be read: slices of the folder's only series.

    Where several series lie together they stand alone. An empty file that is not called as the
    slices are is no image.
    """
    suffixes = {Path(item["name"]).suffix for items in slices.values() for item in items}
    for name, kind, detail in broken:
        suffix = Path(name).suffix
        if suffix not in suffixes and suffix.lower() not in DICOM_SUFFIXES[1:]:
            found["others"] += 1
        elif len(slices) == 1:
            slices[next(iter(slices))].append({"name": name, "broken": kind})
        else:
            found["rejected"].append([name, kind, detail])


REASONS = {
    "empty": ("empty file", ""),
    "lost": ("link that leads nowhere", ""),
    "packed": ("packed files", "unpack them"),
    "format": ("format that is not read", "convert it to NIfTI"),
    "unreadable": ("file that cannot be opened", ""),
}


def kind_of(path: Path) -> str:
    """`nifti`, `dicom`, `other` (no image), or a key of `REASONS`."""
    name = path.name.lower()
    if name == "dicomdir" or name.startswith("."):
        return "other"  # macOS' hidden doubles of files carry their names, endings included
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        return "lost"
    except OSError:
        return "lost" if path.is_symlink() and not path.exists() else "unreadable"
    if not head:
        is_image = name.endswith(NIFTI_ENDINGS) or path.suffix.lower() in DICOM_SUFFIXES
        return "empty" if is_image else "other"
    if name.endswith(NIFTI_ENDINGS) or (name.endswith(".hdr") and head[344:347] == b"ni1"):
        return "nifti"
    if head[128:132] == b"DICM" or headers.starts_without_preamble(head):
        return "dicom"
    if name.endswith(PACKED):
        return "packed"
    return "format" if name.endswith(OTHER_FORMATS) else "other"
