"""The benchmark's rows and targets, and the agreement of labels, by hand."""

import nibabel as nib
import numpy as np
import pytest

from tools.benchmark import report


def test_dice_is_the_mean_over_the_organs_of_the_truth():
    truth = np.array([0, 1, 1, 1, 2, 2])
    labels = np.array([1, 1, 1, 0, 3, 2])
    # label 1: 2 * 2 / (3 + 3); label 2: 2 * 1 / (2 + 1); label 3 is not in the truth
    assert report.mean_dice(labels, truth) == pytest.approx((4 / 6 + 2 / 3) / 2)


def test_organ_that_is_not_found_counts_as_zero():
    truth, labels = np.array([0, 1, 2, 2]), np.array([0, 1, 0, 0])
    assert report.mean_dice(labels, truth) == pytest.approx(0.5)


def test_agreement_is_that_inside_the_filled_body(tmp_path):
    hu = np.full((6, 6, 2), -1000, np.int16)
    hu[1:5, 1:5] = 40  # 16 voxels a slice, with a hole
    hu[2, 2] = -1000
    nib.save(nib.Nifti1Image(hu, np.eye(4)), tmp_path / "ct.nii")
    labels = np.zeros(hu.shape, np.uint8)
    labels[1] = 1
    other = labels.copy()
    other[2, 2, 0] = 1  # in the hole
    other[5, 5, 0] = 1  # outside
    for name, array in (("truth", labels), ("ours", labels), ("reference", other)):
        np.save(tmp_path / f"{name}.npy", array)
    found = report.agreement(tmp_path, "reference")
    assert found["agreement_in_body"] == pytest.approx(31 / 32)
    assert found["agreement"] == pytest.approx(70 / 72)
    assert found["ours_dice"] == 1.0


def sides(ours_s: float, reference_s: float, ours_gib: float = 1.0) -> dict:
    return {
        "ours": {"seconds": [9.0, ours_s, 0.1], "peak_bytes": ours_gib * 2**30},
        "reference": {"seconds": [9.0, reference_s, 0.1], "peak_bytes": 2 * 2**30},
    }


def test_row_holds_medians_and_their_ratio():
    row = report.row("encoder", "reference", sides(2.0, 7.0), {}, "cpu")
    assert (row["ours_s"], row["reference_s"], row["speedup"]) == (2.0, 7.0, 3.5)
    assert (row["ours_gib"], row["reference_gib"], row["memory_ratio"]) == (1.0, 2.0, 0.5)
    assert row["is_met"]


@pytest.mark.parametrize(
    "ours_s, ours_gib, same, is_met",
    [(2.0, 1.0, 0.999, True), (2.1, 1.0, 1.0, False), (2, 1.01, 1.0, False), (2, 1, 0.998, False)],
)
def test_target_of_a_volume_asks_for_speed_memory_and_labels(ours_s, ours_gib, same, is_met):
    found = sides(ours_s, 6.0, ours_gib)
    row = report.row("volume", "reference", found, {"agreement_in_body": same}, "cpu")
    assert row["is_met"] is is_met


def test_crops_are_said_a_second():
    row = report.row("crops", "reference", sides(0.125, 8.0), {}, "cpu")
    assert row["is_met"] and row["speedup"] == pytest.approx(64)
    assert report.remarks(row) == ["Crops a second on one core: 8 (ours), 0.125 (as published)."]


def test_gpu_hours_are_those_of_the_papers_iterations():
    row = report.row("pretrain", "reference", sides(0.48, 2.0), {}, "cuda")
    assert row["gpu_hours"] == pytest.approx(60.0) and row["is_met"]
