"""Tells DICOM files and images from others by their first bytes; needs no package for DICOM."""

from pathlib import Path

from ..formats import IMAGE_ENDINGS, OTHER_FORMATS, PACKED_ENDINGS, ending_of

DICOM_SUFFIXES = ("", ".dcm", ".dicom", ".ima")
HEAD = 352  # bytes: a NIfTI header with its magic number; DICOM's stands at byte 128
REASONS = {
    "empty": ("empty file", ""),
    "lost": ("link that leads nowhere", ""),
    "packed": ("packed files", "unpack them"),
    "format": ("format that is not read", ""),
    "unreadable": ("file that cannot be opened", ""),
}


def is_dicom(path: str | Path) -> bool:
    """Tells whether a file begins as DICOM files do, with the 128-byte preamble or without."""
    return detect_kind(Path(path)) == "dicom"


def has_nifti_header(path: Path) -> bool:
    """Tells whether a file holds the voxels of a NIfTI image in two files."""
    return path.suffix == ".img" and detect_kind(path.with_suffix(".hdr")) == "nifti"


def detect_kind(path: Path) -> str:
    """Detects a file's kind: `nifti`, `dicom`, `other` (no image), or a key of `REASONS`.

    MetaImage and NRRD count as `nifti`: all these are read by `open_image`.
    """
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
        is_image = ending_of(name) in IMAGE_ENDINGS or path.suffix.lower() in DICOM_SUFFIXES
        return "empty" if is_image else "other"
    if ending_of(name) in IMAGE_ENDINGS or (name.endswith(".hdr") and head[344:347] == b"ni1"):
        return "nifti"
    if head[128:132] == b"DICM" or starts_without_preamble(head):
        return "dicom"
    if ending_of(name) in PACKED_ENDINGS:
        return "packed"
    return "format" if ending_of(name) in OTHER_FORMATS else "other"


def starts_without_preamble(head: bytes) -> bool:
    """Tells whether a file begins, as old exports do, with an element of group 0002 or 0008."""
    group, element = (int.from_bytes(head[i : i + 2], "little") for i in (0, 2))
    value_kind = head[4:6]
    is_explicit = value_kind.isalpha() and value_kind.isupper()
    return group in (0x0002, 0x0008) and element < 0x20 and (is_explicit or head[6:8] == b"\0\0")
