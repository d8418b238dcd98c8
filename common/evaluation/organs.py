"""Lists what an evaluation measures: each label, and regions of several labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..segmentation.label_transforms import numbers_and_names
from .summary import FIRST_REGION


@dataclass(frozen=True)
class Organ:
    """Holds what is measured: a label, or a region of several.

    Args:
        number: in the table.
        name: in the table.
        channels: of the label, or of the region's labels; 0 is the background.
    """

    number: int
    name: str
    channels: list[int]


def list_organs(labels: Mapping[str, str], regions: Mapping[str, Sequence[int]]) -> list[Organ]:
    """Lists labels, then regions; see `EvaluationTable`.

    Raises:
        InputError: a region has a label's name, or a number that no label has.
    """
    pairs = numbers_and_names(labels)
    channels = {number: channel for channel, (number, _) in enumerate(pairs)}
    organs = [Organ(number, name, [channels[number]]) for number, name in pairs[1:]]
    names = {name for _, name in pairs}
    for position, (name, numbers) in enumerate(regions.items()):
        if name in names or not numbers or not {*numbers} <= {*channels} - {0}:
            raise InputError(
                f"region {name} of {numbers} needs a name of its own and numbers of the labels "
                f"{[number for number, _ in pairs[1:]]}; mend `regions`."
            )
        parts = [channels[number] for number in numbers]
        organs.append(Organ(FIRST_REGION + position, name, parts))
    return organs
