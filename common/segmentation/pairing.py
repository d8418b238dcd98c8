"""Images and their labels: which belong together, and whether they lie on one grid."""

from pathlib import Path

import nibabel as nib
import numpy as np

from ..data.nifti import NIFTI_ENDINGS, check_header
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
    """Folders of images and labels of the first known layout below `root`.

    Raises:
        InputError: `root` is no folder, or has none.
    """
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"dataset_dir {root} {what}; give a folder by --dataset_dir.")
    for names in layouts:
        folders = root / names[0], root / names[1]
        if any(niftis(folder) for folder in folders):
            return folders
    known = ", ".join(image_folder for image_folder, _ in layouts)
    raise InputError(
        f"dataset_dir {root} has no images in any of {known}; check it, or give a --datalist."
    )


def niftis(folder: Path) -> dict[str, Path]:
    """NIfTI files of a folder by their name without ending, sorted; hidden ones are left out.

    Raises:
        InputError: two differ in the ending alone.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.endswith(NIFTI_ENDINGS) and not path.name.startswith("."):
            name = path.name.split(".nii")[0]
            if name in found:
                raise InputError(
                    f"{found[name]} and {path.name} have one name; remove one of them."
                )
            found[name] = path
    return found


def paired(image_folder: Path, label_folder: Path) -> tuple[list[dict], list[str]]:
    """Pairs `{"image": path, "label": path}` of equal names, and what has no partner, in words.

    `label0001` belongs to `img0001` as in BTCV, and `case` to `case_0000` as in nnU-Net.
    """
    images, labels = niftis(image_folder), niftis(label_folder)
    pairs, problems, used = [], [], set()
    for name, path in images.items():
        others = (name, name.replace("img", "label", 1), name.removesuffix(CHANNEL))
        partner = next((other for other in others if other in labels), None)
        if partner is None:
            problems.append(f"{path} has no label in {label_folder}; add or remove it.")
        else:
            used.add(partner)
            pairs.append({"image": str(path), "label": str(labels[partner])})
    problems += [
        f"{path} has no image in {image_folder}; add or remove it."
        for name, path in labels.items()
        if name not in used
    ]
    return pairs, problems


def check_grids(image_path: str, label_path: str, channels: int = 1) -> None:
    """Both headers are usable and describe the same grid.

    Args:
        channels: of the image; more than one are the fourth axis of its file.

    Raises:
        InputError: they do not.
    """
    image = nib.load(check_header(image_path, channels))
    label = nib.load(check_header(label_path))
    same = image.shape[:3] == label.shape[:3]
    if not same or not np.allclose(image.affine, label.affine, atol=1e-2):
        what = "voxels" if not same else "affine"
        raise InputError(
            f"{label_path} {label.shape} is not on the grid of {image_path} {image.shape[:3]}, "
            f"their {what} differ; resample or remove the pair."
        )
