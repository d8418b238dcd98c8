# generated from common/data/samplers.py, do not edit: `make copies`
"""Makes sampling reproducible: a batch depends only on the seed and on its number.

It depends neither on earlier batches nor on how many workers or ranks draw. So a resumed run sees
the same data, and two ranks see the data of one rank with the doubled batch.
"""

from collections.abc import Iterator, Mapping

from torch.utils.data import Sampler

from ..errors import InputError
from .seeded_dataset import Key, seeded_rng


class ResumableBatchSampler(Sampler[list[Key]]):
    """Samples the batches of a training: endless passes over the data, each in its own order.

    What is left of a pass that does not fill another batch waits for another pass. Data that do
    not fill a single batch come several times in it, drawn differently.

    Args:
        length: items of the data set.
        batch_size: items of a batch of one process.
        seed: of the orders.
        rank, world_size: this process among all; together they take the batch that a single
            process with `world_size * batch_size` items would take.
    """

    def __init__(
        self, length: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.start = 0  # number of the first batch; a resumed run sets it

    def __len__(self) -> int:
        """Returns the number of batches of one pass."""
        return max(1, self.length // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[list[Key]]:
        number = self.start
        while True:
            number_of_pass, first = divmod(number, len(self))
            keys = self.keys_of_pass(number_of_pass)
            for position in range(first, len(self)):
                at = (position * self.world_size + self.rank) * self.batch_size
                yield keys[at : at + self.batch_size]
            number = (number_of_pass + 1) * len(self)

    def keys_of_pass(self, number: int) -> list[Key]:
        """Returns the keys of all items of a pass in their order, enough for every process."""
        order = seeded_rng(self.seed, number).permutation(self.length)
        repeats = -(-self.batch_size * self.world_size // self.length)
        return [(number * repeats + again, int(i)) for again in range(repeats) for i in order]

    def state_dict(self) -> dict[str, int]:
        """Returns the settings that must be the same when a run resumes."""
        names = ("length", "batch_size", "world_size")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Compares these settings with those of the run that resumes.

        Raises:
            InputError: that run had other data, another batch size or another number of processes.
        """
        words = {
            "length": "training images",
            "batch_size": "images a batch",
            "world_size": "processes",
        }
        for name, mine in self.state_dict().items():
            if state[name] != mine:
                raise InputError(
                    f"the run that would go on had {state[name]} {words[name]}, now there are "
                    f"{mine}; make them the same, or give --resume never to start anew."
                )


class ValidationBatchSampler(Sampler[list[Key]]):
    """Samples the batches of a validation: every item once a pass, in the data set's order.

    A batch never reaches into the next pass, so it holds no item twice. Processes take whole
    batches in turn; one that would get none repeats the first, which no metric counts.

    Args:
        length: items of the data set.
        batch_size: items of a batch.
        passes: how often each item comes, every time drawn differently, always in the same way.
        rank, world_size: this process among all.

    Attributes:
        repeats: whether this process only repeats a batch of another one.
    """

    def __init__(
        self, length: int, batch_size: int, passes: int = 1, rank: int = 0, world_size: int = 1
    ) -> None:
        batches = [
            [(number, index) for index in range(first, min(first + batch_size, length))]
            for number in range(passes)
            for first in range(0, length, batch_size)
        ]
        self.repeats = rank >= len(batches)
        self.batches = batches[:1] if self.repeats else batches[rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.batches)
