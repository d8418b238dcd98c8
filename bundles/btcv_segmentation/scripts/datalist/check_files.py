"""Checks labelled files by reading them whole: lists problems, label numbers and spacings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from tqdm import tqdm

from ..common.data.nifti import VolumeReader, check_header
from ..common.data.open_image import open_image
from ..common.errors import InputError
from ..common.segmentation.label_transforms import in_words, unknown_values
from ..common.segmentation.pairing import check_grids

SAMPLE = 10_000  # labelled voxels of each image whose intensities are kept


@dataclass
class CheckResult:
    """Holds the problems and properties of pairs of image and label.

    Args:
        problems: one sentence each, naming the file.
        numbers: of the labels in each label map, background left out, by the image's path.
        spacings_mm: of each image, left to right, back to front, feet to head.
        intensities: of labelled voxels, at most `SAMPLE` of each image.
    """

    problems: list[str] = field(default_factory=list)
    numbers: dict[str, set[int]] = field(default_factory=dict)
    spacings_mm: list[tuple[float, ...]] = field(default_factory=list)
    intensities: list[np.ndarray] = field(default_factory=list)


def check_pairs(pairs: list[dict], labels: Mapping[str, str] | None) -> CheckResult:
    """Checks every file of the pairs by reading it whole.

    Args:
        pairs: `{"image": path, "label": path}`.
        labels: names by number that label maps may hold; None: any whole numbers up to 255.
    """
    result = CheckResult()
    for pair in tqdm(pairs, unit="pair"):
        try:
            check_grids(pair["image"], pair["label"])
        except InputError as problem:
            result.problems.append(str(problem))
            continue
        image, label = (_read_voxels(pair[kind], result.problems) for kind in ("image", "label"))
        if image is not None and label is not None:
            _check_pair(pair, image, label, labels, result)
    return result


def check_images(paths: list[Path]) -> list[str]:
    """Checks images without labels, and lists their problems."""
    problems: list[str] = []
    for path in tqdm(paths, unit="image"):
        try:
            check_header(str(path))
        except InputError as problem:
            problems.append(str(problem))
        else:
            _read_voxels(str(path), problems)
    return problems


def _read_voxels(path: str, problems: list[str]) -> np.ndarray | None:
    """Reads the voxels of a file; returns None and appends a problem where reading fails."""
    reader = VolumeReader(modality="label")  # without a warning about values that are not HU
    try:
        return np.asarray(reader.get_data(reader.read(path))[0])
    except InputError as problem:
        problems.append(str(problem))
        return None


def _check_pair(
    pair: dict, image: np.ndarray, label: np.ndarray, labels: Mapping | None, result: CheckResult
) -> None:
    """Adds a pair's problems or properties to the result."""
    values = np.unique(label)
    if labels is None:
        wrong = [float(v) for v in values if v != np.round(v) or not 0 <= v <= 255]
        rule = "which are no whole numbers from 0 to 255"
    else:
        wrong, rule = unknown_values(values, labels), f"and labels are 0 to {len(labels) - 1}"
    if wrong:
        result.problems.append(f"{pair['label']} holds {in_words(wrong)}, {rule}; mend the file.")
    elif not values.any():
        result.problems.append(f"{pair['label']} labels nothing; label it or remove the pair.")
    else:
        result.numbers[pair["image"]] = {int(value) for value in values if value}
        upright = nib.as_closest_canonical(open_image(pair["image"]))
        result.spacings_mm.append(tuple(map(float, upright.header.get_zooms()[:3])))
        labelled = image.reshape(label.shape)[label > 0]
        count = min(SAMPLE, len(labelled))
        sample = np.random.default_rng(0).choice(labelled, count, replace=False)
        result.intensities.append(sample)
