# generated from common/data/image_files.py, do not edit: `make copies`
"""Lists the files of an image, whose voxels may lie in other files than its header."""

import re
from pathlib import Path

import nibabel as nib

from .formats import ITK_ENDINGS, ending_of
from .itk_checksum import HEAD, list_voxel_files

PAIR = re.compile(r"\.(hdr|img)(\.(gz|bz2|zst))?$", re.I)  # of NIfTI in two files


def list_image_files(path: str | Path) -> list[Path]:
    """Lists the files of an image: the file with its header, then those that hold its voxels.

    A file that is missing is left out, and of a header that names no files there is the header
    alone: whoever reads the image says what is wrong with it.

    Args:
        path: of a NIfTI, MetaImage or NRRD file, header or voxels of a pair; anything else, such as
            the folder of a DICOM series, is one path.

    Returns:
        One path or more; the first is `path`, unless that is the second file of a pair.
    """
    path = Path(path)
    if PAIR.search(path.name):
        pair = nib.Nifti1Pair.filespec_to_file_map(path)
        files = [*(Path(pair[part].filename) for part in ("header", "image")), path]
    elif ending_of(path.name) in ITK_ENDINGS:
        files = [path, *_voxel_files(path)]
    else:
        files = [path]
    return list(dict.fromkeys(file for file in files if file.is_file())) or [path]


def _voxel_files(path: Path) -> list[Path]:
    try:
        with path.open("rb") as file:
            return [voxels for voxels, _ in list_voxel_files(path, file.read(HEAD))]
    except (OSError, ValueError, IndexError, TypeError):  # no file, or no header
        return []
