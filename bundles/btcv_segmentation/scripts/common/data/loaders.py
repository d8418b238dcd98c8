# generated from common/data/loaders.py, do not edit: `make copies`
"""Loads the batches of a training so that it can be resumed exactly."""

from functools import partial

import torch
from monai.data import DataLoader, list_data_collate

from ..runtime.distributed import leave_sigterm_to_parent, rank, world_size
from .samplers import ResumableBatchSampler, ValidationBatchSampler
from .seeded_dataset import SeededCacheDataset


class ResumableDataLoader(DataLoader):
    """Loads endless, seeded passes of a data set; see `ResumableBatchSampler`.

    Each process of a distributed training gets its own part of every batch, with `place`, an int64
    tensor (B, 2): the place of each crop in the batch of all processes, and that batch's size.

    Args:
        dataset: seeded, so that an item depends on its key alone.
        batch_size: items of a batch of one process.
        seed: of the order of every pass.
        num_workers: processes that load; any number gives the same batches.
    """

    def __init__(
        self, dataset: SeededCacheDataset, batch_size: int, seed: int, num_workers: int = 0
    ) -> None:
        super().__init__(
            dataset,
            num_workers,
            batch_sampler=ResumableBatchSampler(
                len(dataset), batch_size, seed, rank(), world_size()
            ),
            worker_init_fn=leave_sigterm_to_parent,
            collate_fn=partial(_with_places, rank=rank(), world_size=world_size()),
            pin_memory=torch.cuda.is_available(),
        )


def _with_places(items: list, rank: int, world_size: int) -> dict:
    """Collates items, or lists of crops, and adds `place` where the batch is a part of a larger."""
    batch = list_data_collate(items)
    if world_size > 1:
        crops = sum(len(item) if isinstance(item, list) else 1 for item in items)
        places = torch.arange(rank * crops, (rank + 1) * crops)
        batch["place"] = torch.stack([places, torch.full_like(places, crops * world_size)], dim=1)
    return batch


class ValidationDataLoader(DataLoader):
    """Loads every item in order, with the same random draws in every validation.

    Args:
        dataset: seeded.
        batch_size: items of a batch.
        passes: how often each item comes, every time drawn differently.
        num_workers: processes that load.
    """

    def __init__(
        self, dataset: SeededCacheDataset, batch_size: int, passes: int = 1, num_workers: int = 0
    ) -> None:
        super().__init__(
            dataset,
            num_workers,
            batch_sampler=ValidationBatchSampler(
                len(dataset), batch_size, passes, rank(), world_size()
            ),
            worker_init_fn=leave_sigterm_to_parent,
            pin_memory=torch.cuda.is_available(),
        )
