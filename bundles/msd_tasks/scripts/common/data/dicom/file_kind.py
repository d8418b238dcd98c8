# generated from common/data/dicom/file_kind.py, do not edit: `make copies`
"""Tells DICOM and NIfTI files from others by their first bytes; needs no package for DICOM."""

from pathlib import Path

from ..nifti import NIFTI_ENDINGS

DICOM_SUFFIXES = ("", ".dcm", ".dicom", ".ima")
PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".dcm.gz")
OTHER_FORMATS = (".mha", ".mhd", ".nrrd", ".nhdr", ".mgz", ".mgh", ".mnc")
HEAD = 352  # bytes: a NIfTI header with its magic number; DICOM's stands at byte 128
REASONS = {
    "empty": ("empty file", ""),
    "lost": ("link that leads nowhere", ""),
    "packed": ("packed files", "unpack them"),
    "format": ("format that is not read", "convert it to NIfTI"),
    "unreadable": ("file that cannot be opened", ""),
}


def is_dicom(path: Path) -> bool:
    """Tells whether a file begins as DICOM files do, with the 128-byte preamble or without."""
    return detect_kind(path) == "dicom"


def detect_kind(path: Path) -> str:
    """Detects a file's kind: `nifti`, `dicom`, `other` (no image), or a key of `REASONS`."""
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
    if head[128:132] == b"DICM" or starts_without_preamble(head):
        return "dicom"
    if name.endswith(PACKED):
        return "packed"
    return "format" if name.endswith(OTHER_FORMATS) else "other"


def starts_without_preamble(head: bytes) -> bool:
    """Tells whether a file begins, as old exports do, with an element of group 0002 or 0008."""
    group, element = (int.from_bytes(head[i : i + 2], "little") for i in (0, 2))
    value_kind = head[4:6]
    is_explicit = value_kind.isalpha() and value_kind.isupper()
    return group in (0x0002, 0x0008) and element < 0x20 and (is_explicit or head[6:8] == b"\0\0")
