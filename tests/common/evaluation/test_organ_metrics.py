"""Metrics of one organ: by hand-computed overlaps, and where masks are empty."""

from math import isnan, nan

import numpy as np
import pytest

from common.evaluation import organ_metrics

LEFT = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
MIDDLE = np.array([0, 0, 1, 1, 1, 1, 0, 0], dtype=bool)
INNER = np.array([0, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
NONE = np.zeros(8, dtype=bool)


@pytest.mark.parametrize(
    "prediction, expected",
    [(LEFT, 1.0), (~LEFT, 0.0), (MIDDLE, 0.5), (INNER, 0.4), (NONE, 0.0), (~NONE, 2 / 3)],
    ids=["identical", "disjoint", "half", "one voxel of four", "empty", "everything"],
)
def test_dice_is_twice_the_overlap_over_both_sizes(prediction, expected):
    assert organ_metrics.dice(prediction, LEFT) == pytest.approx(expected)


@pytest.mark.parametrize("prediction", [NONE, LEFT])
def test_dice_is_undefined_without_a_reference(prediction):
    assert isnan(organ_metrics.dice(prediction, NONE))


@pytest.mark.parametrize(
    "prediction, reference, expected",
    [(NONE, NONE, [nan] * 4), (LEFT, NONE, [nan] * 4), (NONE, LEFT, [0, 0, 0, nan])],
    ids=["both empty", "false positive", "missed"],
)
def test_figures_of_empty_masks(prediction, reference, expected):
    masks = [each.reshape(2, 2, 2) for each in (prediction, reference)]
    found = organ_metrics.organ_metrics(*masks, (1, 1, 1), (1, 2))
    assert list(found) == ["dice", "nsd_1mm", "nsd_2mm", "hd95_mm"]
    assert list(found.values()) == pytest.approx(expected, nan_ok=True)
