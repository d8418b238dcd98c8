# generated from common/data/seeded_dataset.py, do not edit: `make copies`
"""Makes sampling reproducible."""

from collections.abc import Mapping, Sequence

import numpy as np
from monai.data import CacheDataset
from monai.transforms import Compose

Key = tuple[int, int]  # epoch, index in the data set


def seeded_rng(*key: int) -> np.random.Generator:
    """Returns the random generator that belongs to a key of non-negative integers."""
    return np.random.default_rng(key)


class SeededDraws:
    """Makes the random transforms of one of MONAI's data sets draw by (seed, epoch, index).

    Every item, or every crop of an item that is a list of crops, gets `draw`: an array of epoch,
    index and number of the crop, by which later draws can be keyed.
    """

    seed: int
    transform: Compose

    def __getitem__(self, key: Key | int) -> list[dict] | dict:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        state = np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        item = super().__getitem__(index)
        if isinstance(item, Mapping):
            return {**item, "draw": np.array([epoch, index, 0])}
        return [{**crop, "draw": np.array([epoch, index, i])} for i, crop in enumerate(item)]


class SeededCacheDataset(SeededDraws, CacheDataset):
    """Keeps preprocessed volumes in memory, and draws by (seed, epoch, index).

    Args:
        data, transform, cache_rate: see `CacheDataset`; the transform is a `Compose`.
        seed: of all draws.
    """

    def __init__(
        self, data: Sequence, transform: Compose, seed: int, cache_rate: float = 0.0
    ) -> None:
        super().__init__(data, transform, cache_rate=cache_rate)
        self.seed = seed
