"""Slices of a series: evenly on a line, or not at all, by hand-computed cases."""

import numpy as np
import pytest

from common.data.dicom import geometry, volume

NORMAL = np.array([0.0, 0.0, 1.0])


def heights(*z_mm: float) -> np.ndarray:
    """Positions of slices at these heights, one above the other."""
    return np.array([[0.0, 0.0, z] for z in z_mm])


def test_step_of_even_slices():
    step = geometry.compute_step(heights(*np.arange(20) * 2.5), NORMAL, 2)
    np.testing.assert_allclose(step, [0, 0, 2.5])


def test_positions_rounded_by_the_scanner_are_even():
    """0.625 mm, written with one decimal."""
    z_mm = np.round(np.arange(40) * 0.625, 1)
    step = geometry.compute_step(heights(*z_mm), NORMAL, 16)
    np.testing.assert_allclose(step, [0, 0, 0.625], atol=2e-3)


@pytest.mark.parametrize("gap_mm", [0.2, 0.21, 0.25, 0.29, 0.3, 0.35, 0.4, 0.45, 0.625, 1.25])
@pytest.mark.parametrize("first_mm", [0.0, -117.31, 33.02])
def test_positions_rounded_to_one_decimal_are_even_at_small_gaps_too(gap_mm, first_mm):
    z_mm = np.round(first_mm + np.arange(60) * gap_mm, 1)
    step = geometry.compute_step(heights(*z_mm), NORMAL, 16)
    np.testing.assert_allclose(step, [0, 0, gap_mm], atol=2e-3)


@pytest.mark.parametrize("gap_mm", [0.02, 0.1, 0.125, 0.15, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("decimals", [2, 6])
def test_a_missing_slice_is_told_at_any_gap(gap_mm, decimals):
    z_mm = np.delete(np.round(np.arange(40) * gap_mm, decimals), 20)
    with pytest.raises(volume.RejectedError, match="missing slices: 1 of|uneven spacing"):
        geometry.compute_step(heights(*z_mm), NORMAL, 16)


def test_every_second_of_some_slices_missing_is_told_at_a_small_gap():
    """The median lies between one gap and two."""
    z_mm = np.array([n for n in range(59) if n % 3]) * 0.2
    with pytest.raises(volume.RejectedError, match="uneven spacing: 0.20 to 0.40 mm"):
        geometry.compute_step(heights(*z_mm), NORMAL, 16)


def test_step_of_a_tilted_gantry_keeps_the_lean():
    lean = np.array([[0.0, 0.5 * n, 2.0 * n] for n in range(20)])
    np.testing.assert_allclose(geometry.compute_step(lean, NORMAL, 2), [0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("z_mm", "words"),
    [
        ([*range(0, 40, 2), 44, 46, 50], "missing slices: 3 of 2.00 mm"),
        ([n / 10 for n in range(40) if n != 20], "missing slices: 1 of 0.10 mm"),
        ([*range(0, 40, 2), 39], "uneven spacing: 1.00 to 2.00 mm"),
        (list(range(15)), "too small: 15 slices"),
        ([0.9 * n + 0.003 * n * n for n in range(40)], "uneven spacing: slices lie up to"),
    ],
)
def test_slices_that_do_not_fill_a_box_are_rejected(z_mm, words):
    with pytest.raises(volume.RejectedError, match=words):
        geometry.compute_step(heights(*z_mm), NORMAL, 16)
