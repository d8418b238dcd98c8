"""What is in labelled files, read whole: every problem in words, and what an overlay needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from tqdm import tqdm

from ..common.data.nifti import VolumeReader, check_header
from ..common.errors import InputError
from ..common.segmentation.label_transforms import in_words, unknown_values
from ..common.segmentation.pairing import check_grids

SAMPLE = 10_000  # labelled voxels of a volume from which its intensities are taken


@dataclass
class Found:
    """What a set of pairs shows.

    Args:
        problems: one sentence each, naming the file.
        numbers: those above 0 in each label map, by the image's path.
        spacings_mm: of each image, left to right, back to front, feet to head.
        intensities: of labelled voxels, at most `SAMPLE` of each image.
    """

    problems: list[str] = field(default_factory=list)
    numbers: dict[str, set[int]] = field(default_factory=dict)
    spacings_mm: list[tuple[float, ...]] = field(default_factory=list)
    intensities: list[np.ndarray] = field(default_factory=list)


def examined(pairs: list[dict], labels: Mapping[str, str] | None) -> Found:
    """Read every file of pairs `{"image": path, "label": path}`.

    Args:
        labels: names by number that label maps may hold; None: any whole numbers up to 255.
    """
    found = Found()
    for pair in tqdm(pairs, unit="pair"):
        try:
            check_grids(pair["image"], pair["label"])
        except InputError as problem:
            found.problems.append(str(problem))
            continue
        image, label = (_values(pair[kind], found.problems) for kind in ("image", "label"))
        if image is not None and label is not None:
            _examine(pair, image, label, labels, found)
    return found


def image_problems(paths: list[Path]) -> list[str]:
    """What makes images without labels useless."""
    problems: list[str] = []
    for path in tqdm(paths, unit="image"):
        try:
            check_header(str(path))
        except InputError as problem:
            problems.append(str(problem))
        else:
            _values(str(path), problems)
    return problems


def _values(path: str, problems: list[str]) -> np.ndarray | None:
    """Voxels of a file; None and a problem where they cannot be read."""
    reader = VolumeReader(modality="label")  # which does not guess whether values are HU
    try:
        return np.asarray(reader.get_data(reader.read(path))[0])
    except InputError as problem:
        problems.append(str(problem))
        return None


def _examine(
    pair: dict, image: np.ndarray, label: np.ndarray, labels: Mapping | None, found: Found
) -> None:
    values = np.unique(label)
    if labels is None:
        wrong = [float(v) for v in values if v != np.round(v) or not 0 <= v <= 255]
        what = "which are no whole numbers from 0 to 255"
    else:
        wrong, what = unknown_values(values, labels), f"and labels are 0 to {len(labels) - 1}"
    if wrong:
        found.problems.append(f"{pair['label']} holds {in_words(wrong)}, {what}; mend the file.")
    elif not values.any():
        found.problems.append(f"{pair['label']} labels nothing; label it or remove the pair.")
    else:
        found.numbers[pair["image"]] = {int(value) for value in values if value}
        upright = nib.as_closest_canonical(nib.load(pair["image"]))
        found.spacings_mm.append(tuple(map(float, upright.header.get_zooms()[:3])))
        shown = image.reshape(label.shape)[label > 0]
        chosen = np.random.default_rng(0).choice(shown, min(SAMPLE, len(shown)), replace=False)
        found.intensities.append(chosen)
