# generated from common/data/datalist.py, do not edit: `make copies`
"""Lists the images of a folder or of a datalist."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from monai.data import load_decathlon_datalist

from ..errors import InputError
from .formats import IMAGE_ENDINGS
from .image_folder import FoundImages, find_in_folder, printable
from .nifti_header import check_header
from .output_names import check_distinct

logger = logging.getLogger(__name__)

SECTIONS = ("training", "validation", "test")  # of a datalist


def find_images(dataset_dir: str) -> list[str]:
    """Finds the images of a folder and its sub-folders, sorted; a file is its own list.

    What is left out is logged in one line; see `image_folder.find_in_folder`. DICOM files are left
    out too: a training reads volumes.

    Raises:
        InputError: the folder does not exist or holds no image.
    """
    if Path(dataset_dir).is_file():
        return [str(dataset_dir)]
    found = search_folder(dataset_dir)
    for folder in found.dicom_folders():
        found.leave_out(folder, "DICOM files: make volumes of them by `corpus prepare`")
    return usable_images(found)


def search_folder(dataset_dir: str) -> FoundImages:
    """Finds images and all else in a folder; raises InputError where there is no such folder."""
    if not Path(dataset_dir).is_dir():
        problem = "is no regular file" if os.path.exists(dataset_dir) else "does not exist"
        raise InputError(
            f"dataset_dir {printable(dataset_dir)} {problem}; give a folder or file by "
            "--dataset_dir."
        )
    return find_in_folder(dataset_dir)


def usable_images(found: FoundImages, series: Sequence[str] = ()) -> list[str]:
    """Returns images and DICOM series, sorted, and logs the files left out.

    Raises:
        InputError: there is none.
    """
    if not found.images and not series:
        rest = found.describe().partition(": ")[2]
        raise InputError(
            f"dataset_dir {printable(found.root)} holds no image ({', '.join(IMAGE_ENDINGS)})"
            + (f"; left out: {rest}" if rest else "")
            + "; check --dataset_dir."
        )
    found.log()
    return sorted([*found.images, *series])


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
        paths = (item.get(key) for item in items for key in ("image", "label"))
        other = next((path for path in paths if not isinstance(path, str | None)), None)
        if other is not None:
            raise ValueError(f"{other} is not one path; put channels into one 4D file")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"datalist {datalist} cannot be read: {error}; mend it.") from error
    return items


def check_disjoint(sections: Mapping[str, Sequence[Mapping]]) -> None:
    """Checks that no image trains and is validated or tested on; two links to one file are one.

    Where `validation` lists the very images of `training`, that is meant, and a warning says what
    it is worth.

    Args:
        sections: items `{"image": path}` by section.

    Raises:
        InputError: an image of `training` is in another section too.
    """
    files = {
        name: {os.path.realpath(item["image"]): item["image"] for item in items}
        for name, items in sections.items()
    }
    training = files.pop("training", {})
    for name, others in files.items():
        shared = training.keys() & others.keys()
        if shared and name == "validation" and others.keys() == training.keys():
            logger.warning(
                "training and validation list the same images: the validation tells nothing about "
                "other images"
            )
        elif shared:
            path = training[min(shared)]
            raise InputError(
                f"{printable(path)} is listed for training and for {name} ({len(shared)} such "
                f"images), so that the {name} would be on known images; list each once."
            )


def listed_images(datalist: str, dataset_dir: str) -> list[str]:
    """Reads the images of all sections of a datalist.

    Raises:
        InputError: the datalist cannot be read, or lists no image.
    """
    lists = [read_datalist(datalist, dataset_dir, name, is_labelled=False) for name in SECTIONS]
    paths = [item["image"] for items in lists for item in items]
    if not paths:
        raise InputError(f"datalist {datalist} lists no image; add some.")
    return paths


def list_images(dataset_dir: str, datalist: str | None, channels: int = 1) -> list[dict]:
    """Lists images for inference, `{"image": path}`: of a folder, or of all sections of a datalist.

    Raises:
        InputError: there is no image, an image cannot be used, or two would have one output.
    """
    paths = listed_images(datalist, dataset_dir) if datalist else find_images(dataset_dir)
    paths = check_distinct(paths, dataset_dir)
    return [{"image": check_header(path, channels)} for path in paths]
