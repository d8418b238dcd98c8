"""Batches of a training that several processes share."""

import pytest
import torch
from monai.transforms import Compose, Lambdad

from common.data import loaders
from common.data.seeded_dataset import SeededCacheDataset
from common.runtime.distributed import leave_sigterm_to_parent


def split(item: dict) -> list[dict]:
    return [item, dict(item)]


def first_batch(crops_per_item: int) -> dict:
    steps = [Lambdad("image", lambda number: torch.full((1, 2), float(number)))]
    steps += [split] if crops_per_item == 2 else []
    data = [{"image": number} for number in range(8)]
    dataset = SeededCacheDataset(data, Compose(steps), seed=0)
    return next(iter(loaders.ResumableDataLoader(dataset, batch_size=3, seed=0)))


def test_a_process_alone_gets_no_places():
    assert set(first_batch(1)) == {"image", "draw"}


@pytest.mark.parametrize("crops_per_item", [1, 2])
def test_places_count_the_crops_of_all_processes(monkeypatch, crops_per_item):
    monkeypatch.setattr(loaders, "world_size", lambda: 2)
    places = []
    for rank in range(2):
        monkeypatch.setattr(loaders, "rank", lambda rank=rank: rank)
        batch = first_batch(crops_per_item)
        assert len(batch["image"]) == len(batch["place"]) == 3 * crops_per_item
        places += batch["place"].tolist()
    assert places == [[place, 6 * crops_per_item] for place in range(6 * crops_per_item)]


def test_validation_batches_are_whole(monkeypatch):
    monkeypatch.setattr(loaders, "world_size", lambda: 2)
    data = [{"image": number} for number in range(4)]
    steps = [Lambdad("image", lambda number: torch.full((1, 2), float(number)))]
    dataset = SeededCacheDataset(data, Compose(steps), seed=0)
    (batch,) = loaders.ValidationDataLoader(dataset, batch_size=2)
    assert set(batch) == {"image", "draw"} and batch["draw"][:, 1].tolist() == [0, 1]


def test_processes_that_load_a_validation_leave_sigterm_to_their_parent():
    dataset = SeededCacheDataset([{"image": 0}], Compose([]), seed=0)
    loader = loaders.ValidationDataLoader(dataset, batch_size=1)
    assert loader.worker_init_fn is leave_sigterm_to_parent
