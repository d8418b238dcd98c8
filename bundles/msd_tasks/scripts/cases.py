# Shared: the original is bundles/btcv_segmentation/scripts/cases.py (see tools/vendor.py).
"""Which labelled images train, validate and evaluate a network."""

from pathlib import Path

import nibabel as nib
import numpy as np
from monai.data import partition_dataset

from .command_line import InputError
from .nifti import NIFTI_ENDINGS, check_header
from .volumes import SECTIONS, read_datalist

# Where known archives keep images and labels, relative to `dataset_dir`: BTCV's own, then MSD's.
LAYOUTS = [
    ("RawData/Training/img", "RawData/Training/label"),
    ("Training/img", "Training/label"),
    ("img", "label"),
    ("imagesTr", "labelsTr"),
    ("images", "labels"),
]
FOLDS = 5


def labelled_cases(
    dataset_dir: str, datalist: str | None, channels: int = 1
) -> dict[str, list[dict]]:
    """Pairs `{"image": path, "label": path}` by section: `training`, `validation` and `test`.

    Args:
        dataset_dir: holds one of `LAYOUTS` (all of it is `training`), or is what the datalist's
            paths are relative to.
        datalist: Decathlon JSON; its sections are taken as they are, but for images of `test`
            without a label.
        channels: of an image; more than one are the fourth axis of its file.

    Raises:
        InputError: an image without its label or the other way round; unusable files; grids that
            differ; nothing labelled at all.
    """
    if datalist:
        sections = {name: read_datalist(datalist, dataset_dir, name, True) for name in SECTIONS}
        sections["test"] = [item for item in sections["test"] if "label" in item]
    else:
        sections = {"training": _pairs(Path(dataset_dir)), "validation": [], "test": []}
    if not any(sections.values()):
        raise InputError(f"datalist {datalist} lists no labelled image; add some.")
    return {name: [_checked(item, channels) for item in items] for name, items in sections.items()}


def part(cases: dict[str, list[dict]], name: str, fold: int, seed: int) -> list[dict]:
    """The cases for one use.

    Args:
        cases: what `labelled_cases` gives. Where it has no `validation`, `training` is divided into
            five folds by the seed.
        name: `training`, `validation`, `test`, or `all` of them.
        fold: 0 to 4, the fold that validates.
        seed: of the division.

    Raises:
        InputError: there are none, there is no such part, or too few for a division.
    """
    if name == "all":
        return [item for items in cases.values() for item in items]
    if name in ("training", "validation") and not cases["validation"]:
        folds = _folds(cases["training"], fold, seed)
        validation = folds.pop(fold)
        return validation if name == "validation" else [item for part in folds for item in part]
    if not cases.get(name):
        raise InputError(f"there are no {name} cases; the parts are {', '.join(SECTIONS)} and all.")
    return cases[name]


def _folds(items: list[dict], fold: int, seed: int) -> list[list[dict]]:
    if fold not in range(FOLDS):
        raise InputError(f"--fold {fold} does not exist; it takes 0 to {FOLDS - 1}.")
    if len(items) < FOLDS:
        raise InputError(
            f"{len(items)} labelled images are too few for {FOLDS} folds; name those that "
            "train and those that validate in a --datalist."
        )
    return partition_dataset(items, num_partitions=FOLDS, shuffle=True, seed=seed)


def _pairs(root: Path) -> list[dict]:
    """Image and label paths of the first known layout below `root`, sorted by name."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"dataset_dir {root} {what}; give a folder by --dataset_dir.")
    for image_folder, label_folder in LAYOUTS:
        images, labels = _niftis(root / image_folder), _niftis(root / label_folder)
        if images or labels:
            break
    else:
        known = ", ".join(image_folder for image_folder, _ in LAYOUTS)
        raise InputError(
            f"dataset_dir {root} has no images in any of {known}; check it, or give a --datalist."
        )
    of = {name.replace("label", "img", 1): path for name, path in labels.items()} | labels
    for name, path in images.items():
        if name not in of:
            raise InputError(f"{path} has no label in {root / label_folder}; add or remove it.")
    for name, path in labels.items():
        if name not in images and name.replace("label", "img", 1) not in images:
            raise InputError(f"{path} has no image in {root / image_folder}; add or remove it.")
    return [{"image": str(path), "label": str(of[name])} for name, path in images.items()]


def _niftis(folder: Path) -> dict[str, Path]:
    """NIfTI files of a folder by their name without ending, hidden ones left out."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        path.name.split(".nii")[0]: path
        for path in files
        if path.name.endswith(NIFTI_ENDINGS) and not path.name.startswith(".")
    }


def _checked(item: dict, channels: int) -> dict:
    """The pair, once both headers are usable and describe the same grid."""
    if "label" not in item:
        raise InputError(f"{item['image']} has no label in the datalist; add or remove it.")
    image = nib.load(check_header(item["image"], channels))
    label = nib.load(check_header(item["label"]))
    same = image.shape[:3] == label.shape[:3]
    if not same or not np.allclose(image.affine, label.affine, atol=1e-2):
        raise InputError(
            f"{item['label']} ({label.shape}) is not on the grid of {item['image']} "
            f"({image.shape}); resample or remove the pair."
        )
    return {"image": item["image"], "label": item["label"]}
