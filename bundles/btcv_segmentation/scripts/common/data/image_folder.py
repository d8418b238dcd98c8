# generated from common/data/image_folder.py, do not edit: `make copies`
"""Finds the images of a folder, and describes in one line the files left out and why."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import list_first
from ..runtime.end_of_run import warn_now_and_at_end
from .dicom.file_kind import is_dicom
from .formats import (
    IMAGE_ENDINGS,
    OTHER_FORMATS,
    PACKED_ENDINGS,
    PAIR_ENDING,
    SEGMENTATION_ENDINGS,
    ending_of,
    has_known_ending,
    is_hidden,
    is_image_name,
    stem_of,
)
from .open_image import is_made_by_us, is_pair
from .walk import AGAIN, LOST, Folder, list_folders

# Whole names of folders, and beginnings of files' names that no letter follows: `labelled_ct` is
# neither.
LABEL_FOLDER = re.compile(r"labels?|labels?[-_ ]?(tr|ts|va|val|train|test)|label[-_ ]?maps?", re.I)
LABEL_FILE = re.compile(r"(labels?|label[-_ ]?maps?)(?![^\W\d_])", re.I)
# `x_seg` is labels if an image `x` lies beside it.
SEGMENTATION = re.compile(r"(.+)_seg", re.I | re.S)
OUTPUT = re.compile(r".+_(seg|prob|reconstruction|corrupted)", re.I | re.S)  # names of our outputs
NAMED = 3  # of the files left out for one reason


@dataclass
class FoundImages:
    """Holds the images of a folder, and the files left out.

    Args:
        root: the folder.
        images: paths of files, sorted; of a NIfTI pair the `.hdr`.
        folders: all folders below the root, see `walk`.
        left_out: paths relative to the root, by the reason.
    """

    root: str
    images: list[str] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, path: str, reason: str) -> None:
        """Notes a path, relative to the root, that is left out."""
        self.left_out.setdefault(reason, []).append(path or ".")

    def dicom_folders(self) -> dict[str, str]:
        """Returns the folders that hold DICOM files, none hidden, and the name of a file each."""
        first = {}
        for folder in self.folders:
            names = folder.files if not is_hidden(folder.path) else ()
            path = Path(self.root, folder.path)
            if name := next((name for name in names if may_be_dicom(path / name)), None):
                first[folder.path] = name
        return first

    def describe(self) -> str:
        """Describes in one line the files left out: counts, names, reasons; "" for none."""
        parts = []
        for reason, paths in sorted(self.left_out.items()):
            names = list_first([printable(path) for path in sorted(paths)], NAMED)
            parts.append(f"{len(paths)} ({names}): {reason}")
        return f"left out of {printable(self.root)}: {'; '.join(parts)}" if parts else ""

    def log(self) -> None:
        """Logs the line of `describe` now and at the end of the run, if anything was left out."""
        if self.left_out:
            warn_now_and_at_end(self.describe())


def find_in_folder(root: str | Path) -> FoundImages:
    """Finds the images of a folder and its sub-folders, links followed, DICOM left to its reader.

    Left out are labels (folders `label`, `labels`, `labelsTr`, files `label0001` or `x_seg` beside
    `x`), outputs of an inference by the mark in their header, hidden files, packed files, and
    formats that are not read.
    """
    found = FoundImages(str(root), folders=list_folders(root))
    for folder in found.folders:
        for name in folder.files:
            path = os.path.join(folder.path, name)
            if reason := why_left_out(found.root, path, folder.files):
                found.leave_out(path, reason)
            elif is_image_name(name) or is_pair(Path(root, path)):
                found.images.append(str(Path(root, path)))
        for name, kind, detail in folder.left_out:
            if kind not in (LOST, AGAIN) or ending_of(name) in IMAGE_ENDINGS:
                path = os.path.join(folder.path, name)
                found.leave_out(path, f"{kind} ({detail})" if detail and kind != AGAIN else kind)
    found.images.sort()
    return found


def may_be_dicom(path: Path) -> bool:
    """Tells whether a file is DICOM by its content, and no image or hidden file by its name."""
    is_other = ending_of(path.name) in (*IMAGE_ENDINGS, *PACKED_ENDINGS)
    return not is_other and not path.name.startswith(".") and is_dicom(path)


def why_left_out(root: str, path: str, beside: list[str]) -> str | None:
    """Returns the reason why a file is left out; None for images and unknown endings.

    Args:
        root: the folder.
        path: of the file, relative to the root.
        beside: names of the files in the file's folder.
    """
    folder, name = os.path.split(path)
    ending = ending_of(name)
    if not has_known_ending(name):
        return None
    if is_hidden(path):
        return "hidden"
    if ending in PACKED_ENDINGS:
        return "packed: unpack it"
    if ending in OTHER_FORMATS and is_pair(Path(root, folder, os.path.splitext(name)[0] + ".hdr")):
        if ending != PAIR_ENDING:
            return None  # the voxels of a NIfTI pair are no image of their own
    elif ending in OTHER_FORMATS:  # scanners give DICOM files such names too
        return None if is_dicom(Path(root, path)) else OTHER_FORMATS[ending]
    parts = folder.split(os.sep)
    if any(map(LABEL_FOLDER.fullmatch, parts)) or LABEL_FILE.match(name):
        return "labels"
    if name.lower().endswith(SEGMENTATION_ENDINGS):
        return "labels"
    stem = stem_of(name)
    if OUTPUT.fullmatch(stem) and is_made_by_us(Path(root, path)):
        return "output of an inference"
    match = SEGMENTATION.fullmatch(stem)
    if match and any(is_image_name(other) and stem_of(other) == match[1] for other in beside):
        return "labels"
    return None


def printable(text: str) -> str:
    """Returns a path for one line of a log: bytes that are not UTF-8 and line ends are escaped."""
    text = str(text).encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
