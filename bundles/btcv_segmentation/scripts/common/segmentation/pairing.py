# generated from common/segmentation/pairing.py, do not edit: `make copies`
"""Pairs images with their labels, and checks that both lie on one grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.formats import is_hidden, is_image_name, stem_of
from ..data.image_folder import find_in_folder
from ..data.nifti_header import open_nifti, warn_of
from ..data.open_image import is_pair
from ..data.walk import list_files
from ..errors import InputError

# Where known archives keep images and labels, relative to `dataset_dir`: BTCV's own, then MSD's.
LAYOUTS = [
    ("RawData/Training/img", "RawData/Training/label"),
    ("Training/img", "Training/label"),
    ("img", "label"),
    ("imagesTr", "labelsTr"),
    ("images", "labels"),
]
CHANNEL = "_0000"  # nnU-Net names the first channel of an image so


def find_folders(root: Path, layouts: list[tuple[str, str]] = LAYOUTS) -> tuple[Path, Path]:
    """Finds the folders of images and labels of the first known layout below `root`.

    Raises:
        InputError: `root` is no folder, or has no known layout.
    """
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"dataset_dir {root} {problem}; give a folder by --dataset_dir.")
    for names in layouts:
        folders = root / names[0], root / names[1]
        if any(images_of(folder) for folder in folders):
            return folders
    known = ", ".join(image_folder for image_folder, _ in layouts)
    raise InputError(
        f"dataset_dir {root} has no images in any of {known}; check it, or give a --datalist."
    )


def images_of(folder: Path) -> dict[str, Path]:
    """Lists the images of a folder by their name without ending, sorted, none hidden.

    Raises:
        InputError: two files differ in the ending alone.
    """
    paths: dict[str, Path] = {}
    for name in list_files(folder) if folder.is_dir() else ():
        path = folder / name
        if (is_image_name(name) or is_pair(path)) and not is_hidden(name):
            name = stem_of(name)
            if name in paths:
                raise InputError(
                    f"{paths[name]} and {path.name} have one name; remove one of them."
                )
            paths[name] = path
    return paths


def log_left_out(folder: Path, used: dict[str, Path]) -> None:
    """Logs in one line which images of a folder and its sub-folders are not used, and why."""
    found = find_in_folder(folder)
    names = {path.name for path in used.values()}
    for path in found.images:
        found.leave_out(str(Path(path).relative_to(folder)), "in a sub-folder")
    left_out = {
        reason: [path for path in paths if path not in names]
        for reason, paths in found.left_out.items()
    }
    found.left_out = {reason: paths for reason, paths in left_out.items() if paths}
    found.log()


def paired(image_folder: Path, label_folder: Path) -> tuple[list[dict], list[str]]:
    """Pairs files of equal names, `{"image": path, "label": path}`, and describes the others.

    `label0001` belongs to `img0001` as in BTCV, and `case` to `case_0000` as in nnU-Net.

    Returns:
        The pairs, and a sentence for each image or label without a partner.
    """
    images, labels = images_of(image_folder), images_of(label_folder)
    log_left_out(image_folder, images)
    log_left_out(label_folder, labels)
    pairs, problems, paired_names = [], [], set()
    for name, path in images.items():
        candidates = (name, name.replace("img", "label", 1), name.removesuffix(CHANNEL))
        partner = next((candidate for candidate in candidates if candidate in labels), None)
        if partner is None:
            problems.append(f"{path} has no label in {label_folder}; add or remove it.")
        else:
            paired_names.add(partner)
            pairs.append({"image": str(path), "label": str(labels[partner])})
    problems += [
        f"{path} has no image in {image_folder}; add or remove it."
        for name, path in labels.items()
        if name not in paired_names
    ]
    return pairs, problems


def check_grids(
    image_path: str, label_path: str, channels: int = 1, channel_names: Sequence[str] = ()
) -> None:
    """Checks that both headers are usable and describe one grid.

    Args:
        channels, channel_names: of the image, see `nifti_header.open_nifti`.

    Raises:
        InputError: a header is unusable, or the grids differ in shape or affine.
    """
    image = open_nifti(image_path, channels, channel_names)
    label = open_nifti(label_path)
    warn_of(image_path, image.notes)
    warn_of(label_path, label.notes)
    shape, label_shape = image.image.shape[:3], label.image.shape
    have_one_shape = shape == label_shape[:3]
    if not have_one_shape or not np.allclose(image.affine, label.affine, atol=1e-2):
        difference = "voxels" if not have_one_shape else "affine"
        raise InputError(
            f"{label_path} {label_shape} is not on the grid of {image_path} {shape}, "
            f"their {difference} differ; resample or remove the pair."
        )
