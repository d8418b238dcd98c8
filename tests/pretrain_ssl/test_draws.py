"""Draws that follow from seed, epoch and index alone."""

from itertools import islice

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose, Lambdad, RandGaussianNoised, RandSpatialCropSamplesd


@pytest.fixture
def draws(scripts):
    return scripts.draws


def noisy(draws, seed=0, length=6, cache_rate=0.0):
    """Zeros with noise, in a data set of so many items."""
    transform = Compose([Lambdad("image", torch.as_tensor), RandGaussianNoised("image", prob=1.0)])
    items = [{"image": np.zeros((1, 4))} for _ in range(length)]
    return draws.KeyedDataset(items, transform, seed, cache_rate)


def first(batches, count: int) -> list:
    return list(islice(iter(batches), count))


def test_a_key_decides_what_is_drawn_whatever_was_drawn_before(draws):
    dataset = noisy(draws)
    once = dataset[1, 2]["image"]
    dataset[0, 3], np.random.rand(5), torch.rand(5)
    assert torch.equal(dataset[1, 2]["image"], once)
    assert torch.equal(noisy(draws, cache_rate=1.0)[1, 2]["image"], once)


def test_epochs_indices_and_seeds_draw_differently(draws):
    keys, datasets = [(0, 0), (0, 1), (1, 0)], [noisy(draws, seed=seed) for seed in (0, 1)]
    found = [dataset[key]["image"] for dataset in datasets for key in keys]
    assert len({tuple(image.flatten().tolist()) for image in found}) == 6


def test_items_know_their_draw(draws):
    assert noisy(draws)[3, 5]["draw"].tolist() == [3, 5, 0]
    assert noisy(draws)[5]["draw"].tolist() == [0, 5, 0]


def test_crops_of_an_item_are_numbered(draws):
    crops = RandSpatialCropSamplesd("image", 2, num_samples=3, random_size=False)
    dataset = draws.KeyedDataset([{"image": torch.zeros(1, 4, 4)}], Compose([crops]), seed=0)
    found = [crop["draw"].tolist() for crop in dataset[7, 0]]
    assert found == [[7, 0, 0], [7, 0, 1], [7, 0, 2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_draw_what_one_process_draws(draws, scripts, workers):
    batches = draws.KeyedBatches(length=6, batch_size=2, seed=0)
    settings = {"num_workers": workers, "worker_init_fn": scripts.processes.leave_sigterm_to_parent}
    loader = DataLoader(noisy(draws), batch_sampler=batches, **settings)
    found = torch.cat([batch["image"] for batch in first(loader, 7)])
    expected = [noisy(draws)[key]["image"] for batch in first(batches, 7) for key in batch]
    assert torch.equal(found, torch.stack(expected))


def test_every_pass_has_every_item_once_in_an_order_of_its_own(draws):
    batches = draws.KeyedBatches(length=12, batch_size=3, seed=0)
    assert len(batches) == 4
    passes = [sum(first(batches, 8)[at : at + 4], []) for at in (0, 4)]
    assert [{epoch for epoch, _ in keys} for keys in passes] == [{0}, {1}]
    orders = [[index for _, index in keys] for keys in passes]
    assert [sorted(order) for order in orders] == [list(range(12))] * 2
    assert orders[0] != orders[1] != list(range(12))


@pytest.mark.parametrize("start", [1, 4, 7])
def test_a_run_that_goes_on_sees_the_batches_it_would_have_seen(draws, start):
    whole = first(draws.KeyedBatches(length=13, batch_size=3, seed=1), 12)
    rest = draws.KeyedBatches(length=13, batch_size=3, seed=1)
    rest.start = start
    assert first(rest, 12 - start) == whole[start:]


@pytest.mark.parametrize("length", [13, 3])
def test_processes_share_the_batch_of_a_single_one(draws, length):
    single = first(draws.KeyedBatches(length, batch_size=6, seed=0), 5)
    ranks = [first(draws.KeyedBatches(length, 2, 0, rank, world_size=3), 5) for rank in range(3)]
    assert [sum(parts, []) for parts in zip(*ranks)] == single


def test_few_items_fill_a_batch_by_being_drawn_several_times(draws):
    batches = first(draws.KeyedBatches(length=3, batch_size=8, seed=0), 4)
    assert [len(batch) for batch in batches] == [8] * 4
    assert len(set(sum(batches, []))) == 32


def test_other_data_batch_or_processes_are_refused(draws, refusal):
    state = draws.KeyedBatches(length=10, batch_size=2, seed=0, world_size=2).state_dict()
    draws.KeyedBatches(10, 2, 0, rank=1, world_size=2).load_state_dict(state)
    with refusal("had 10 training images, now there are 11"):
        draws.KeyedBatches(11, 2, 0, world_size=2).load_state_dict(state)
    with refusal("had 2 processes, now there are 1"):
        draws.KeyedBatches(10, 2, 0).load_state_dict(state)


def test_validation_takes_every_item_once_a_pass_and_never_twice_a_batch(draws):
    assert list(draws.FixedBatches(length=5, batch_size=3, passes=2)) == [
        [(0, 0), (0, 1), (0, 2)],
        [(0, 3), (0, 4)],
        [(1, 0), (1, 1), (1, 2)],
        [(1, 3), (1, 4)],
    ]


def test_processes_validate_whole_batches_in_turn(draws):
    ranks = [list(draws.FixedBatches(5, 2, rank=rank, world_size=2)) for rank in range(2)]
    assert ranks == [[[(0, 0), (0, 1)], [(0, 4)]], [[(0, 2), (0, 3)]]]
    assert list(draws.FixedBatches(1, 2, rank=1, world_size=2)) == [[(0, 0)]]
