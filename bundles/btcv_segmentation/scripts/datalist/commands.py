"""Writes datalists for training, from BTCV's archive or from folders of your own.

python -m scripts datalist btcv /data/BTCV/RawData
python -m scripts datalist folder /data/ct/images /data/ct/labels --overlay my_labels.json
"""

import json
import math
import os
from pathlib import Path

import numpy as np

from ..common import BUNDLE
from ..common.atomic_write import write_text
from ..common.cli.kinds import Seed
from ..common.errors import InputError
from ..common.segmentation import splits
from ..common.segmentation.check_files import CheckResult, check_images, check_pairs
from ..common.segmentation.pairing import find_folders, images_of, paired
from ..common.segmentation.write_datalist import (
    add_folds,
    list_missing_labels,
    refuse,
    write_datalist,
)

LAYOUTS = [(f"{root}Training/img", f"{root}Training/label") for root in ("", "RawData/")]
CONFIG = BUNDLE / "configs/train.json"
NARROW = 20  # a range of intensities that whole numbers would distort
HU = (-1100, 4000)  # what labelled voxels of a CT have, air and metal included
PERCENTILES = (0.5, 99.5)  # of labelled voxels: nnU-Net's intensity range


def btcv(raw_data: str, output: str = "datalist.json", seed: Seed = 0) -> str:
    """Writes the datalist of BTCV: `Training/img`, `Training/label` and `Testing/img`.

    Every file is read whole and checked. The datalist gets five folds, the split into 24 and 6, an
    order for fractions of the labels, and the images without labels as `test`.

    Args:
        raw_data: the folder `RawData`, or the folder around `RawData`. Paths in the datalist are
            relative to this folder: give the folder to the training as `--dataset_dir`.
        output: the datalist, a JSON file; an earlier one is replaced.
        seed: of the folds and of the order.

    Raises:
        InputError: files have problems, all of which are named; nothing is written.
    """
    root = Path(raw_data)
    image_folder, label_folder = find_folders(root, LAYOUTS)
    tests = list(images_of(image_folder.parents[1] / "Testing/img").values())
    names = json.loads(CONFIG.read_text())["labels"]
    pairs, problems = paired(image_folder, label_folder)
    result = check_pairs(pairs, names)
    refuse(problems + result.problems + check_images(tests))
    items = add_folds(pairs, seed)
    numbers = {splits.btcv_number(item["image"]) for item in items}
    lines = [f"{len(items)} labelled images, {len(tests)} without labels"]
    if numbers >= set(splits.BTCV_VALIDATION):
        parts = splits.parts_24_6(pairs)
        items = [item | {"split_24_6": part} for item, part in zip(items, parts)]
        n_training = parts.count("training")
        lines.append(f"--split btcv_24_6: {n_training} train, img0035 to img0040 validate")
    else:
        lines.append("no --split btcv_24_6: of img0035 to img0040, which validate in it, some lack")
    lines += list_missing_labels(result, names)
    return write_datalist(output, root, {"training": items, "test": tests}, lines)


def folder(
    images: str,
    labels: str,
    output: str = "datalist.json",
    overlay: str | None = None,
    seed: Seed = 0,
) -> str:
    """Writes the datalist of CTs of your own, with any labels, and the overlay for training.

    A label file has its image's name, with or without nnU-Net's `_0000`. Every file is read whole
    and checked.

    Args:
        images, labels: folders of NIfTI files.
        output: the datalist, a JSON file; an earlier one is replaced. Paths in the datalist are
            relative to the folder that holds both folders: give that folder to the training as
            `--dataset_dir`.
        overlay: the config of labels, spacing and intensity range, a JSON file, to be looked over;
            by default the config is printed.
        seed: of the folds and of the order for fractions of the labels.

    Raises:
        InputError: files have problems, all of which are named; nothing is written.
    """
    for path in (images, labels):
        if not Path(path).is_dir():
            raise InputError(f"{path} is not a folder; give the folders of images and of labels.")
    pairs, problems = paired(Path(images), Path(labels))
    result = check_pairs(pairs, labels=None)
    refuse(problems + result.problems)
    if len(pairs) < 2:
        raise InputError(f"{images} holds {len(pairs)} labelled images; training takes two.")
    suggested = _make_overlay(result)
    config = json.dumps(suggested, indent=4) + "\n"
    root = Path(os.path.commonpath([Path(images).resolve(), Path(labels).resolve()]))
    if len(pairs) >= splits.FOLDS:
        sections, lines = {"training": add_folds(pairs, seed)}, []
    else:
        sections = {"training": pairs[:-1], "validation": pairs[-1:]}
        lines = [f"too few for five folds: {Path(pairs[-1]['image']).name} validates, others train"]
    lines = [f"{len(pairs)} labelled images", *lines]
    lines += _warn_of_range(suggested["hu_min"], suggested["hu_max"])
    if overlay:
        write_text(overlay, config)
        lines.append(f"{overlay}: name the labels in it, and look over the rest")
    else:
        lines.append(f"an overlay for them, whose labels you name:\n{config}")
    return write_datalist(output, root, sections, lines)


def _make_overlay(result: CheckResult) -> dict:
    """Makes the overlay of keys that follow from the data: labels, spacing and intensity range.

    The spacing is the median along each axis, the intensity range that of labelled voxels but for
    half a percent at either end, as in nnU-Net (Isensee et al. 2021). The user names the labels.
    """
    numbers = sorted(set.union(*result.numbers.values()))
    low, high = _intensity_range(result)
    return {
        "_desc_": "follows train.json, evaluate.json or inference.json in the list of config files",
        "labels": {"0": "background"} | {str(number): f"label {number}" for number in numbers},
        "class_weights": None,
        "spacing_mm": [round(float(mm), 3) for mm in np.median(result.spacings_mm, axis=0)],
        "hu_min": low,
        "hu_max": high,
    }


def _intensity_range(result: CheckResult) -> tuple[float, float]:
    """Returns the range of labelled voxels: whole HU, of a narrow range three digits of its width.

    0.0123 to 0.9816 becomes 0.012 to 0.982; rounded to whole numbers, it would be clipped.
    """
    low, high = map(float, np.percentile(np.concatenate(result.intensities), PERCENTILES))
    if not 0 < high - low <= NARROW:
        return round(low), round(high)
    digits = 2 - math.floor(math.log10(high - low))
    return round(low, digits), round(high, digits)


def _warn_of_range(low: float, high: float) -> list[str]:
    """Says in a line that labelled voxels do not look like HU; nothing where they do."""
    if high - low > NARROW and HU[0] <= low and high <= HU[1]:
        return []
    return [
        f"labelled voxels lie from {low:g} to {high:g}, which does not look like HU: hu_min and "
        "hu_max are in the images' own unit; check the images if they should be in HU"
    ]


COMMANDS = {"btcv": btcv, "folder": folder}
