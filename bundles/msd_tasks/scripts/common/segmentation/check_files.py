# generated from common/segmentation/check_files.py, do not edit: `make copies`
"""Checks labelled files by reading them whole: lists problems, label numbers and spacings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from tqdm import tqdm

from ..data.nifti import VolumeReader
from ..data.nifti_header import open_nifti, warn_of
from ..errors import InputError
from .label_transforms import describe_unknown, in_words, unknown_values
from .pairing import check_grids

SAMPLE = 10_000  # labelled voxels of each image whose intensities are kept


@dataclass
class CheckResult:
    """Holds the problems and properties of pairs of image and label.

    Args:
        problems: one sentence each, naming the file.
        numbers: of the labels in each label map, background left out, by the image's path.
        spacings_mm: of each image, left to right, back to front, feet to head.
        intensities: of labelled voxels, at most `SAMPLE` of each image, of all its channels.
    """

    problems: list[str] = field(default_factory=list)
    numbers: dict[str, set[int]] = field(default_factory=dict)
    spacings_mm: list[tuple[float, ...]] = field(default_factory=list)
    intensities: list[np.ndarray] = field(default_factory=list)


def check_pairs(
    pairs: list[dict],
    labels: Mapping[str, str] | None,
    channels: int = 1,
    channel_names: Sequence[str] = (),
) -> CheckResult:
    """Checks every file of the pairs by reading it whole.

    Args:
        pairs: `{"image": path, "label": path}`.
        labels: names by number that label maps may hold; None: any whole numbers up to 255.
        channels, channel_names: of the images, see `nifti_header.open_nifti`.
    """
    result = CheckResult()
    for pair in tqdm(pairs, unit="pair"):
        try:
            check_grids(pair["image"], pair["label"], channels, channel_names)
        except InputError as problem:
            result.problems.append(str(problem))
            continue
        image = _read_voxels(pair["image"], result.problems, "any", channels, channel_names)
        label = _read_voxels(pair["label"], result.problems, "label")
        if image is not None and label is not None:
            _check_pair(pair, image, label, labels, result)
    return result


def check_images(
    paths: list[Path], channels: int = 1, channel_names: Sequence[str] = ()
) -> list[str]:
    """Checks images without labels, and lists their problems.

    Args:
        paths: of the images.
        channels, channel_names: of the images, see `nifti_header.open_nifti`.
    """
    problems: list[str] = []
    for path in tqdm(paths, unit="image"):
        try:
            warn_of(str(path), open_nifti(str(path), channels, channel_names).notes)
        except InputError as problem:
            problems.append(str(problem))
        else:
            _read_voxels(str(path), problems, "any", channels, channel_names)
    return problems


def _read_voxels(
    path: str,
    problems: list[str],
    modality: str,
    channels: int = 1,
    channel_names: Sequence[str] = (),
) -> np.ndarray | None:
    """Reads the voxels of a file; returns None and appends a problem where reading fails.

    Of modality "any", images are read without the warning about values that are not HU.
    """
    reader = VolumeReader(modality, channels, channel_names)
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
        rule = "which are no whole numbers from 0 to 255; mend the file."
        sentence = f"{pair['label']} holds {in_words(wrong)}, {rule}"
    else:
        wrong = unknown_values(values, labels)
        sentence = describe_unknown(pair["label"], wrong, labels)
    if wrong:
        result.problems.append(sentence)
    elif not values.any():
        result.problems.append(f"{pair['label']} labels nothing; label it or remove the pair.")
    else:
        channels = image.size // label.size
        result.numbers[pair["image"]] = {int(value) for value in values if value}
        result.spacings_mm.append(_spacing_mm(open_nifti(pair["image"], channels).affine))
        labelled = image.reshape(*label.shape, -1)[label > 0]  # (voxels, channels)
        count = min(SAMPLE, len(labelled))
        sample = np.random.default_rng(0).choice(labelled, count, replace=False)
        result.intensities.append(sample.ravel())


def _spacing_mm(affine: np.ndarray) -> tuple[float, ...]:
    """Returns the spacing left to right, back to front, feet to head."""
    axes = np.argsort(nib.io_orientation(affine)[:, 0])
    return tuple(np.linalg.norm(affine[:3, :3], axis=0)[axes].tolist())
