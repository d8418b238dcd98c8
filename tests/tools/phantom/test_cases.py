"""Phantoms of one case: anatomy, hardness, lesions."""

import numpy as np
import pytest
from scipy.ndimage import label as components

from tools.phantom import case_rng, intensity, phantom_ct
from tools.phantom.cases import draw_case
from tools.phantom.pose import widen
from tools.phantom.tasks import BTCV, ORGANS, TASKS
from tools.phantom.tissue import Tissue

SHAPE, SPACING_MM = (72, 56, 52), (5.0, 5.0, 5.0)
SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, ESOPHAGUS, LIVER, STOMACH = range(1, 8)
AORTA, VENA_CAVA, PORTAL_VEIN, PANCREAS, RIGHT_ADRENAL, LEFT_ADRENAL = range(8, 14)
# What an organ of an adult may measure in ml, wide enough for any size and pose drawn.
VOLUME_ML = {
    SPLEEN: (80, 500),
    RIGHT_KIDNEY: (50, 300),
    LEFT_KIDNEY: (50, 300),
    GALLBLADDER: (10, 80),
    ESOPHAGUS: (5, 40),
    LIVER: (800, 2500),
    STOMACH: (150, 800),
    AORTA: (40, 200),
    VENA_CAVA: (40, 220),
    PORTAL_VEIN: (10, 80),
    PANCREAS: (30, 160),
    RIGHT_ADRENAL: (1, 10),
    LEFT_ADRENAL: (1, 10),
}


def abdomen(seed: int, spacing_mm=SPACING_MM) -> tuple[np.ndarray, np.ndarray]:
    """HU and labels of one abdomen."""
    shape = tuple(round(360 * n / 72 / s) for n, s in zip(SHAPE, spacing_mm, strict=True))
    return phantom_ct(np.random.default_rng(seed), shape, spacing_mm)


@pytest.fixture(scope="module")
def abdomens() -> list[tuple[np.ndarray, np.ndarray]]:
    """Six abdomens at 5 mm."""
    return [abdomen(seed) for seed in range(6)]


def dice_by_hu(hu: np.ndarray, labels: np.ndarray, *, prior: bool) -> dict[int, float]:
    """Dice of the best rule that sees one voxel's HU only and knows this phantom's histograms."""
    bins = np.clip((hu.astype(int) + 1024) // 8, 0, 300)
    counts = np.stack([np.bincount(bins[labels == k], minlength=301) for k in range(14)])
    score = counts if prior else counts / counts.sum(1, keepdims=True)
    found = score.argmax(0)[bins]
    organs = (SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, LIVER, STOMACH, AORTA)
    pairs = {k: (found == k, labels == k) for k in organs}
    return {k: 2 * (a & b).sum() / (a.sum() + b.sum()) for k, (a, b) in pairs.items()}


def test_every_organ_has_a_plausible_volume(abdomens):
    for _, labels in abdomens:
        volumes_ml = np.bincount(labels.ravel(), minlength=14) * np.prod(SPACING_MM) / 1000
        for organ, (low, high) in VOLUME_ML.items():
            assert low <= volumes_ml[organ] <= high, (
                ORGANS[organ],
                volumes_ml[organ],
            )


def test_organs_are_connected(abdomens):
    for _, labels in abdomens:
        for organ in range(1, 14):
            parts = np.bincount(components(labels == organ, np.ones((3, 3, 3)))[0].ravel())[1:]
            assert parts.max() > 0.85 * parts.sum(), ORGANS[organ]


def test_organs_lie_inside_the_body(abdomens):
    for hu, labels in abdomens:
        skin = np.argwhere(hu > -300)
        organs = np.argwhere(labels > 0)
        # Superiorly the field cuts the aorta and the esophagus, so x and y only.
        assert (organs.min(0) > skin.min(0))[:2].all()
        assert (organs.max(0) < skin.max(0))[:2].all()


def test_hu_are_those_of_ct(abdomens):
    for hu, labels in abdomens:
        assert hu.dtype == np.int16 and labels.dtype == np.uint8
        assert hu.min() >= -1024 and 200 < hu.max() <= 3071
        assert abs(np.median(hu[:, -1]) + 1000) < 40  # air before the patient
        assert 20 < np.median(hu[labels == LIVER]) < 160


def test_soft_organs_share_their_hu_range():
    gaps = []
    for seed in range(8):
        hu, labels = abdomen(seed, (6.0, 6.0, 6.0))
        gaps.append(np.median(hu[labels == LIVER]) - np.median(hu[labels == SPLEEN]))
    assert min(gaps) < 0 < max(gaps)


@pytest.mark.parametrize("prior", [True, False])
def test_intensity_alone_does_not_segment(abdomens, prior):
    dice = [list(dice_by_hu(hu, labels, prior=prior).values()) for hu, labels in abdomens]
    assert np.mean(dice) < 0.4


def test_the_same_patient_at_another_spacing():
    coarse, fine = abdomen(3)[1], abdomen(3, (2.5, 2.5, 2.5))[1]
    volumes_ml = [np.bincount(a.ravel())[1:] * v for a, v in ((coarse, 125), (fine, 15.625))]
    large = [SPLEEN - 1, LIVER - 1, STOMACH - 1]
    np.testing.assert_allclose(volumes_ml[0][large], volumes_ml[1][large], rtol=0.05)


@pytest.mark.parametrize(
    ("task", "tumour", "host"),
    [("Task03_Liver", 2, 1), ("Task07_Pancreas", 2, 1), ("Task01_BrainTumour", 2, 3)],
)
def test_tumours_touch_their_organ(task, tumour, host):
    _, label = draw_case(case_rng(0, task, 2), TASKS[task], 4.0)
    labels = np.asarray(label.dataobj)
    both, _ = components(np.isin(labels, [tumour, host]), np.ones((3, 3, 3)))
    assert set(both[labels == tumour]) <= set(both[labels == host])


def cases(variation: float, numbers: range) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Images, labels and affines of cases in BTCV's layout at 9 mm."""
    pairs = [draw_case(case_rng(0, "btcv", n), BTCV, 9.0, variation) for n in numbers]
    return [(np.asarray(a.dataobj), np.asarray(b.dataobj), a.affine) for a, b in pairs]


def test_without_variation_the_cases_are_those_they_have_always_been():
    ((image, labels, _),) = cases(1, range(2, 3))
    assert image.shape == (22, 31, 44) and image.mean() == pytest.approx(-447.9712743268462)
    counts = [187, 102, 103, 24, 12, 1509, 329, 83, 132, 23, 86, 4, 5]
    np.testing.assert_array_equal(np.bincount(labels.ravel())[1:], counts)
    assert widen(0.1, 0.7, 1) == (0.1, 0.7)
    assert widen(1, 3, 2) == (0, 4) and widen(1, 3, 2, least=0.5) == (0.5, 4)


def test_more_variation_spreads_sizes_hu_noise_and_field_of_view():
    spreads = []
    for variation in (1, 3):
        drawn = cases(variation, range(1, 7))
        voxel_ml = [abs(np.linalg.det(affine)) / 1000 for _, _, affine in drawn]
        ml = [np.bincount(x.ravel(), minlength=14) * v for (_, x, _), v in zip(drawn, voxel_ml)]
        sizes = np.divide(ml, np.mean(ml, 0))[:, [SPLEEN, LIVER, STOMACH]].std(0).mean()
        hu = np.std([np.median(image[labels == LIVER]) for image, labels, _ in drawn])
        noise = np.std([np.std(image[labels == LIVER]) for image, labels, _ in drawn])
        field = np.std([np.prod(x.shape) * v for (_, x, _), v in zip(drawn, voxel_ml)])
        spreads.append([sizes, hu, noise, field])
    one, three = np.array(spreads)
    assert (three > 1.4 * one).all(), three / one


def test_every_tissue_of_a_torso_has_hu():
    head_only = range(Tissue.SCALP, len(Tissue))
    assert set(intensity.CT) == set(Tissue) - set(head_only)
