"""NSD and HD95 by hand-computed geometry, and against two independent libraries."""

import numpy as np
import pytest
import surface_distance as deepminds
import torch
from monai.metrics import compute_surface_dice
from scipy.ndimage import gaussian_filter

from common.evaluation import surface_distance

SPACING_MM = (1.0, 2.0, 5.0)


@pytest.fixture
def measure():
    """`measure(prediction, reference, spacing_mm, tolerance_mm)` is NSD and HD95."""

    def figures(prediction, reference, spacing_mm=SPACING_MM, tolerance_mm=1.0):
        pair = surface_distance.surfaces(prediction, reference, spacing_mm)
        return surface_distance.nsd(pair, tolerance_mm), surface_distance.hd95(pair)

    return figures


def mask(*voxels, shape=(9, 9, 9)) -> np.ndarray:
    """A mask of single voxels or slices."""
    found = np.zeros(shape, bool)
    for voxel in voxels:
        found[voxel] = True
    return found


@pytest.mark.parametrize("axis, step_mm", enumerate(SPACING_MM))
def test_neighbouring_voxels_share_half_their_surface(measure, axis, step_mm):
    # a voxel has one element at each corner, all of one area; four corners are in common
    one, next_one = [4, 4, 4], [4, 4, 4]
    next_one[axis] += 1
    pair = mask(tuple(one)), mask(tuple(next_one))
    assert measure(*pair, tolerance_mm=step_mm - 0.01) == pytest.approx((0.5, step_mm))
    assert measure(*pair, tolerance_mm=step_mm) == pytest.approx((1.0, step_mm))


def test_neighbouring_plates_through_the_whole_volume_share_half_their_surface(measure):
    plates = mask(np.s_[:, :, 2]), mask(np.s_[:, :, 3])
    assert measure(*plates) == pytest.approx((0.5, 5.0))


def test_a_cube_moved_by_a_voxel_is_off_by_that_voxel(measure):
    cubes = mask(np.s_[2:6, 2:6, 2:6]), mask(np.s_[3:7, 2:6, 2:6])
    nsd, hd95 = measure(*cubes, tolerance_mm=0.5)
    assert nsd == pytest.approx(1 - off_area() / cube_area()) and hd95 == 1.0


def ridge(first: int, second: int) -> float:
    """Area of an element on an edge between faces of these normals: cut slantwise, mm²."""
    face = [10.0, 5.0, 2.0]
    return 0.5 * np.hypot(face[first], face[second])


CORNER = 0.125 * np.linalg.norm([10.0, 5.0, 2.0])


def cube_area() -> float:
    """Of 4³ voxels: on each face 3² whole elements, on each of 12 edges 3 ridges, 8 corners."""
    ridges = ridge(0, 1) + ridge(0, 2) + ridge(1, 2)
    return 2 * 9 * (10 + 5 + 2) + 4 * 3 * ridges + 8 * CORNER


def off_area() -> float:
    """Of one cube, what has no element of the other at its place.

    The outer x face wholly (9 whole, 6 + 6 ridges, 4 corners). The inner x face lies one voxel
    inside the other cube: its rim is at the place of the other's ridges along x, its 9 whole
    elements are off.
    """
    return 2 * 9 * 10 + 2 * 3 * (ridge(0, 1) + ridge(0, 2)) + 4 * CORNER


@pytest.mark.parametrize("far_voxels, nsd, hd95", [(0, 1.0, 0.0), (1, 2 / 3, 6.0), (2, 0.5, 7.0)])
def test_false_voxels_count_by_their_surface(measure, far_voxels, nsd, hd95):
    far = [(7, 1, 1), (8, 8, 1)][:far_voxels]
    found = measure(mask((1, 1, 1), *far), mask((1, 1, 1)), (1.0, 1.0, 1.0))
    expected = np.hypot(7, 7) if far_voxels == 2 else hd95
    assert found == pytest.approx((nsd, expected))


def test_little_false_surface_is_beyond_the_95th_percentile(measure):
    organ = np.s_[1:8, 1:8, 1:8]
    found = measure(mask(organ, (0, 0, 10), shape=(9, 9, 12)), mask(organ, shape=(9, 9, 12)))
    assert found[0] < 1 and found[1] == 0.0


def test_masks_that_fill_the_volume_have_its_outer_face(measure):
    whole = np.ones((4, 5, 6), bool)
    assert measure(whole, whole) == (1.0, 0.0)
    assert measure(whole, mask(np.s_[1:, :, :], shape=(4, 5, 6)), tolerance_mm=0.5)[0] < 1


def test_beyond_the_volume_is_outside(measure):
    random = np.random.default_rng(0).random((2, 6, 5, 4)) < 0.5
    padded = [np.pad(each, 3) for each in random]
    assert measure(*random) == measure(*padded)


def test_exactly_the_tolerance_is_within_it_whatever_the_header_rounds(measure):
    voxels = mask((4, 4, 4)), mask((5, 4, 4))
    spacing_mm = (float(np.nextafter(np.float32(1), np.float32(2))), 1.0, 1.0)
    assert measure(*voxels, spacing_mm=spacing_mm, tolerance_mm=1.0)[0] == 1.0


# ---- two independent libraries ----


def random_pairs():
    """Masks of noise, blobs that overlap, and what trips implementations up."""
    random = np.random.default_rng(1)
    for density in (0.02, 0.1, 0.5, 0.9):
        for _ in range(6):
            shape = random.integers(1, 13, 3)
            yield random.random((2, *shape)) < density
    for _ in range(16):
        field = gaussian_filter(random.random((3, 14, 12, 10)), (0, 2, 2, 2))
        yield field[:2] + field[2] > np.median(field[:2] + field[2])
    slab, column = mask(np.s_[:, :, 0]), mask(np.s_[0, 8, :])
    yield slab, slab
    yield slab, column
    yield mask(np.s_[:, 4, :]), mask(np.s_[:, :, 4])
    yield mask((0, 0, 0)), mask((8, 8, 8))
    yield ~mask((4, 4, 4)), np.ones((9, 9, 9), bool)
    yield mask(np.s_[::2, ::2, ::2]), mask(np.s_[1::2, 1::2, 1::2])


def test_both_agree_with_deepminds_surface_distance_and_nsd_with_monai(measure):
    random, compared = np.random.default_rng(2), 0
    for prediction, reference in random_pairs():
        if not (prediction.any() and reference.any()):
            continue
        spacing_mm = random.uniform(0.4, 5, 3).tolist()
        tolerance_mm = random.uniform(0.5, 6)
        nsd, hd95 = measure(prediction, reference, spacing_mm, tolerance_mm)
        theirs = deepminds.compute_surface_distances(reference, prediction, spacing_mm)
        expected = (
            deepminds.compute_surface_dice_at_tolerance(theirs, tolerance_mm),
            deepminds.compute_robust_hausdorff(theirs, 95),
        )
        assert (nsd, hd95) == pytest.approx(expected, abs=1e-5)
        monai = compute_surface_dice(
            *(torch.from_numpy(each)[None, None] for each in (prediction, reference)),
            [tolerance_mm],
            include_background=True,
            spacing=spacing_mm,
            use_subvoxels=True,
        )
        assert nsd == pytest.approx(monai.item(), abs=1e-5)
        compared += 1
    assert compared >= 40
