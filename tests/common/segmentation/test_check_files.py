"""Pairs of image and label read whole: their properties, and a sentence for each problem."""

from pathlib import Path

import numpy as np
from helpers import write_nifti

from common.segmentation.check_files import check_images, check_pairs

SHAPE, NAMES = (6, 5, 4), {"0": "background", "1": "peripheral zone", "2": "transition zone"}


def pair(folder: Path, channels: int, *numbers: int) -> dict:
    """A pair whose channels hold 10, 20 and so on."""
    values = np.broadcast_to(10 * np.arange(1, channels + 1), (*SHAPE, channels)).astype(np.int16)
    label = np.zeros(SHAPE, np.uint8)
    label.flat[: len(numbers)] = numbers
    spacing = {"spacing_mm": (0.6, 0.6, 3.6)}
    values = values if channels > 1 else values[..., 0]
    return {
        "image": write_nifti(folder / "image.nii.gz", values, **spacing),
        "label": write_nifti(folder / "label.nii.gz", label, **spacing),
    }


def test_images_of_several_channels_are_checked(tmp_path):
    listed = pair(tmp_path, 2, 1, 2)
    result = check_pairs([listed], NAMES, 2, ("T2", "ADC"))
    assert result.problems == [] and result.numbers == {listed["image"]: {1, 2}}
    np.testing.assert_allclose(result.spacings_mm, [[0.6, 0.6, 3.6]], rtol=1e-6)
    assert sorted(result.intensities[0]) == [10, 10, 20, 20]
    assert check_images([Path(listed["image"])], 2) == []


def test_a_channel_that_is_missing_is_named(tmp_path):
    listed = pair(tmp_path, 1, 1)
    needed = "has 1 channel (shape (6, 5, 4)), and 2 are needed along its fourth axis: T2, ADC"
    (problem,) = check_pairs([listed], NAMES, 2, ("T2", "ADC")).problems
    assert needed in problem
    (problem,) = check_images([Path(listed["image"])], 2, ("T2", "ADC"))
    assert needed in problem


def test_labels_outside_the_set_and_empty_ones_are_problems(tmp_path):
    pairs = [pair(tmp_path / "a", 1, 3), pair(tmp_path / "b", 1)]
    first, second = check_pairs(pairs, NAMES).problems
    assert "label.nii.gz holds 3, which no label has: labels are 0 to 2" in first
    assert "labels nothing; label it or remove the pair" in second
