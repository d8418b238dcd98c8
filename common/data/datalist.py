"""Lists the images of a folder or of a datalist."""

import json
import os
from pathlib import Path

from monai.data import load_decathlon_datalist

from ..errors import InputError
from .nifti import NIFTI_ENDINGS
from .nifti_header import check_header

SECTIONS = ("training", "validation", "test")  # of a datalist


def find_images(dataset_dir: str) -> list[str]:
    """Finds the NIfTI images of a folder and its sub-folders, sorted; a file is its own list.

    Folders named `label…` and files named `label…` or `…_seg.nii.gz` hold labels and are left
    out, as are hidden files (macOS archives carry `._` doubles).

    Raises:
        InputError: the folder does not exist or holds no NIfTI image.
    """
    root = Path(dataset_dir)
    if root.is_file():
        return [str(root)]
    if not root.is_dir():
        raise InputError(
            f"dataset_dir {root} does not exist; give a folder or file by --dataset_dir."
        )
    paths = [
        Path(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(NIFTI_ENDINGS) and not name.endswith(("_seg.nii", "_seg.nii.gz"))
    ]
    images = [
        str(path)
        for path in sorted(paths)
        if not any(part.startswith(("label", ".")) for part in path.relative_to(root).parts)
    ]
    if not images:
        raise InputError(
            f"dataset_dir {root} holds no image (*.nii, *.nii.gz); check --dataset_dir."
        )
    return images


def read_datalist(datalist: str, dataset_dir: str, section: str, is_labelled: bool) -> list[dict]:
    """Reads one section of a Decathlon datalist; paths become absolute from `dataset_dir`.

    A section that is absent is an empty list.

    Raises:
        InputError: the file is missing or is not a datalist.
    """
    if not Path(datalist).is_file():
        raise InputError(f"datalist {datalist} does not exist; check --datalist.")
    try:
        if not json.loads(Path(datalist).read_text()).get(section):
            return []
        items = load_decathlon_datalist(datalist, is_labelled, section, dataset_dir)
        incomplete = [item for item in items if "image" not in item]
        if incomplete:
            raise ValueError(f"{incomplete[0]} has no `image`")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"datalist {datalist} cannot be read: {error}; mend it.") from error
    return items


def list_images(dataset_dir: str, datalist: str | None, channels: int = 1) -> list[dict]:
    """Lists images for inference, `{"image": path}`: of a folder, or of all sections of a datalist.

    Raises:
        InputError: there is no image, or an image cannot be used.
    """
    if not datalist:
        paths = find_images(dataset_dir)
    else:
        lists = [read_datalist(datalist, dataset_dir, name, is_labelled=False) for name in SECTIONS]
        paths = [item["image"] for items in lists for item in items]
    if not paths:
        raise InputError(f"datalist {datalist} lists no image; add some.")
    return [{"image": check_header(path, channels)} for path in paths]


def dataset_root(dataset_dir: str) -> str:
    """Returns the folder whose sub-folders predictions mirror: `dataset_dir`, or its one file's."""
    return str(Path(dataset_dir).parent if Path(dataset_dir).is_file() else dataset_dir)
