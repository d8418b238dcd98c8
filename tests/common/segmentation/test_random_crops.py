"""Crops of a training: centred on the foreground, or on classes by their ratios."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, OneOf, RandCropByPosNegLabeld, RandFlipd, RandRotate90d

from common.segmentation import check_turns, random_crops

LABELS = {"0": "background", "1": "organ", "2": "tumour"}


def volume(tumour: int = 2) -> dict:
    """A large organ with a tumour of a few voxels, dark as after a z-score: (1, 40, 40, 40)."""
    label = torch.zeros(1, 40, 40, 40)
    label[:, 4:30, 4:30, 4:30] = 1
    label[:, 20 : 20 + tumour, 20, 20] = 2
    image = torch.full(label.shape, -1.0)
    image[label == 1] = 1
    return {"image": MetaTensor(image), "label": MetaTensor(label)}


def share_with_tumour(transform, item: dict) -> float:
    transform.set_random_state(seed=0)
    crops = transform(item)
    assert all(crop["image"].shape == (1, 8, 8, 8) for crop in crops)
    return float(np.mean([(crop["label"] == 2).any() for crop in crops]))


def test_without_ratios_crops_are_as_monais_by_foreground():
    ours = random_crops((8, 8, 8), 4, LABELS)
    monais = RandCropByPosNegLabeld(
        ("image", "label"), "label", (8, 8, 8), 1, 1, 4, image_key="image"
    )
    for transform in (ours, monais):
        transform.set_random_state(seed=3)
    pairs = zip(ours(volume()), monais(volume()), strict=True)
    assert all(torch.equal(a["label"], b["label"]) for a, b in pairs)


def test_a_tumour_of_two_voxels_is_found_by_class_and_not_by_foreground():
    by_class = random_crops((8, 8, 8), 200, LABELS, [1, 1, 2])
    by_foreground = random_crops((8, 8, 8), 200, LABELS)
    assert 0.4 < share_with_tumour(by_class, volume()) < 0.65
    assert share_with_tumour(by_foreground, volume()) < 0.1


def test_background_crops_lie_in_dark_tissue_too():
    """After a z-score, tissue darker than the mean is below 0, and a lung is such a tissue."""
    transform = random_crops((8, 8, 8), 50, LABELS, [1, 0, 0]).set_random_state(seed=0)
    assert any((crop["label"] == 0).all() for crop in transform(volume()))


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_not_there_is_left_out_silently():
    assert share_with_tumour(random_crops((8, 8, 8), 20, LABELS, [1, 1, 2]), volume(0)) == 0


@pytest.mark.parametrize(
    ("ratios", "words"),
    [([1, 1], r"class_ratios are 2, labels 3; give one for each"), ([0, 1, 2], "more than 0")],
)
def test_ratios_that_cannot_serve_are_refused(refusal, ratios, words):
    with refusal(words):
        random_crops((8, 8, 8), 2, LABELS, ratios)


TURNS = RandRotate90d("image", prob=0.2)


@pytest.mark.parametrize(
    ("augmentation", "patch_size", "words"),
    [
        ([TURNS], (96, 64, 64), r"--patch_size \[96, 64, 64\] has other edges along x"),
        ([OneOf([RandFlipd("image"), Compose([TURNS])])], (96, 64, 64), "along x than along y"),
        ([RandRotate90d("image", spatial_axes=(1, 2))], (96, 96, 64), "along y than along z"),
    ],
)
def test_turns_that_would_exchange_unequal_edges_are_refused(
    refusal, augmentation, patch_size, words
):
    with refusal(words):
        check_turns(augmentation, patch_size, crops=2)


@pytest.mark.parametrize(
    ("augmentation", "patch_size", "crops"),
    [
        ([TURNS], (96, 96, 32), 4),
        ([RandFlipd("image")], (96, 64, 32), 4),
        ([TURNS], (96, 64, 32), 1),
    ],
)
def test_other_augmentations_and_single_crops_of_any_shape_are_taken(
    augmentation, patch_size, crops
):
    check_turns(augmentation, patch_size, crops)
