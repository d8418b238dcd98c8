"""Draws that follow from seed, epoch and index alone."""

from itertools import islice

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose, Lambdad, RandGaussianNoised, RandSpatialCropSamplesd

from common.data import seeded_dataset
from common.data.samplers import ResumableBatchSampler
from common.runtime.distributed import leave_sigterm_to_parent


def noisy(seed=0, length=6, cache_rate=0.0):
    """Zeros with noise, in a data set of so many items."""
    transform = Compose([Lambdad("image", torch.as_tensor), RandGaussianNoised("image", prob=1.0)])
    items = [{"image": np.zeros((1, 4))} for _ in range(length)]
    return seeded_dataset.SeededCacheDataset(items, transform, seed, cache_rate)


def test_a_key_decides_what_is_drawn_whatever_was_drawn_before():
    dataset = noisy()
    once = dataset[1, 2]["image"]
    dataset[0, 3], np.random.rand(5), torch.rand(5)
    assert torch.equal(dataset[1, 2]["image"], once)
    assert torch.equal(noisy(cache_rate=1.0)[1, 2]["image"], once)


def test_epochs_indices_and_seeds_draw_differently():
    keys, datasets = [(0, 0), (0, 1), (1, 0)], [noisy(seed=seed) for seed in (0, 1)]
    found = [dataset[key]["image"] for dataset in datasets for key in keys]
    assert len({tuple(image.flatten().tolist()) for image in found}) == 6


def test_items_know_their_draw():
    assert noisy()[3, 5]["draw"].tolist() == [3, 5, 0]
    assert noisy()[5]["draw"].tolist() == [0, 5, 0]


def test_crops_of_an_item_are_numbered():
    crops = RandSpatialCropSamplesd("image", 2, num_samples=3, random_size=False)
    dataset = seeded_dataset.SeededCacheDataset(
        [{"image": torch.zeros(1, 4, 4)}], Compose([crops]), seed=0
    )
    found = [crop["draw"].tolist() for crop in dataset[7, 0]]
    assert found == [[7, 0, 0], [7, 0, 1], [7, 0, 2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_draw_what_one_process_draws(workers):
    batches = ResumableBatchSampler(length=6, batch_size=2, seed=0)
    settings = {"num_workers": workers, "worker_init_fn": leave_sigterm_to_parent}
    loader = DataLoader(noisy(), batch_sampler=batches, **settings)
    found = torch.cat([batch["image"] for batch in islice(loader, 7)])
    expected = [noisy()[key]["image"] for batch in islice(batches, 7) for key in batch]
    assert torch.equal(found, torch.stack(expected))
