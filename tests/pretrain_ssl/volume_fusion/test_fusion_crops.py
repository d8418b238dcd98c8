"""Crops of a batch are fused by their own draws alone, and whole volumes with themselves."""

import pytest
import torch
from monai.data import MetaTensor

SHAPE = (16, 12, 14)


def batch_of(*items: int) -> dict:
    """Two crops of each item; a crop's voxels and draw follow from its item."""
    draws = [[3, item, crop] for item in items for crop in range(2)]
    images = [
        torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(2 * item + crop))
        for _, item, crop in draws
    ]
    return {"image": MetaTensor(torch.stack(images)), "draw": torch.tensor(draws)}


@pytest.fixture
def fuse(fusion, settings):
    return fusion.FuseCrops(settings, crops_per_item=2, seed=5)


def test_each_crop_of_a_volume_is_foreground_once_and_background_once(fusion, fuse):
    batch = batch_of(0, 1)
    fused, targets = fuse(batch)
    labels = targets["labels"]
    assert fused.shape == labels.shape == targets["difference"].shape == (4, 1, *SHAPE)
    assert labels.dtype == torch.int64 and set(labels.unique().tolist()) == {0, 1, 2, 3, 4}
    mirrored = [fuse.flip(crop, draw) for crop, draw in zip(batch["image"], batch["draw"].tolist())]
    for own, partner in enumerate([1, 0, 3, 2]):
        is_foreground, is_background = labels[own] == 4, labels[own] == 0
        assert torch.equal(fused[own][is_foreground], mirrored[own][is_foreground])
        assert torch.equal(fused[own][is_background], mirrored[partner][is_background])
        difference = (mirrored[own] - mirrored[partner]).abs()
        assert torch.equal(targets["difference"][own], difference)


def test_a_fusion_is_the_same_in_any_batch_and_at_any_place_in_it(fuse):
    """And so by any number of processes, each of which gets whole volumes."""
    fused, targets = fuse(batch_of(7, 8, 9))
    for place, item in enumerate([7, 8, 9]):
        alone, alone_targets = fuse(batch_of(item))
        pair = slice(2 * place, 2 * place + 2)
        assert torch.equal(fused[pair], alone)
        assert all(torch.equal(targets[name][pair], alone_targets[name]) for name in targets)
    assert not torch.equal(targets["labels"][0], targets["labels"][2])


def test_every_axis_is_mirrored_half_of_the_time(fuse):
    ramp = torch.arange(8.0).reshape(1, 2, 2, 2)
    corners = [fuse.flip(ramp, [0, item, 0])[0, 0, 0, 0].item() for item in range(800)]
    counts = torch.bincount(torch.tensor(corners).long(), minlength=8)
    assert (counts - 100).abs().max() < 40  # eight mirrorings alike; 4 standard deviations


def test_a_single_crop_of_a_volume_is_refused(fusion, settings, refusal):
    with refusal("crops_per_item 1: a crop is fused with another of its volume; give 2 or more"):
        fusion.FuseCrops(settings, crops_per_item=1, seed=0)


def test_a_whole_volume_is_fused_with_its_mirror_image(fusion, settings):
    volume = torch.rand(1, 70, 40, 33)
    fuse = fusion.FuseWithMirroredd("image", settings, patch_size=[64, 64, 32], seed=0)
    made = fuse({"image": volume, "intact": volume})
    share, mirrored = made["fusion_map"], volume.flip([1, 2, 3])
    assert set(share.unique().tolist()) == {0, 0.25, 0.5, 0.75, 1} and made["intact"] is volume
    assert torch.equal(made["image"], share * volume + (1 - share) * mirrored)
    assert torch.equal(made["image"], fuse({"image": volume})["image"])
