# generated from common/segmentation/label_transforms.py, do not edit: `make copies`
"""Maps numbers in label files to the network's channels and back, in ascending order."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import Tensor

from ..errors import InputError, list_first


def numbers_and_names(labels: Mapping[str, str]) -> list[tuple[int, str]]:
    """Lists number and name of each channel; channel i has the i-th smallest number.

    Args:
        labels: names by number as text, `{"0": "background", "1": "spleen", …}`.

    Returns:
        `[(0, "background"), (1, "spleen"), …]`.

    Raises:
        InputError: a number is none of 0 to 255, 0 is missing or alone, or two labels have one
            name.
    """
    try:
        pairs = sorted((int(number), str(name)) for number, name in labels.items())
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"labels {labels} are not names by number; mend them.") from error
    numbers, names = zip(*pairs) if pairs else ((), ())
    are_unique = len(set(names)) == len(names) and len(set(numbers)) == len(numbers)
    if 0 not in numbers or len(pairs) < 2 or not are_unique or not 0 <= numbers[-1] <= 255:
        raise InputError(
            f"labels {labels} need 0, the background, and others up to 255, each with a name of "
            "its own; mend them."
        )
    if numbers[0] < 0:
        raise InputError(f"labels {labels} have a number below 0; label files hold none.")
    return pairs


def unknown_values(values: np.ndarray, labels: Mapping[str, str]) -> list[float]:
    """Lists the values of a label map, of any shape, that no label has, ascending."""
    known = [number for number, _ in numbers_and_names(labels)]
    return [float(value) for value in np.unique(values) if value not in known]


def in_words(values: Sequence[float]) -> str:
    """Lists values as `3, 4.5`; of many the first five and the number of the others.

    A value near a whole number gets the digits that tell it from that number: `0.99999999`.
    """
    return list_first([_digits(value) for value in values])


def _digits(value: float) -> str:
    """Writes a value in six digits, or in all where six would make it a whole number."""
    text = f"{value:g}"
    return repr(float(value)) if float(text) != value and float(text).is_integer() else text


def describe_unknown(path: str, values: Sequence[float], labels: Mapping[str, str]) -> str:
    """Describes the values of a label file that no label has, in one sentence.

    Args:
        path: of the file.
        values: see `unknown_values`.
        labels: see `numbers_and_names`.
    """
    numbers = [number for number, _ in numbers_and_names(labels)]
    is_row = numbers == list(range(len(numbers)))
    known = f"0 to {numbers[-1]}" if is_row else ", ".join(map(str, numbers))
    return (
        f"{path} holds {in_words(values)}, which no label has: labels are {known}; mend the file, "
        "or add to `labels` what is missing."
    )


class LabelsToChannelsd(MapTransform):
    """Maps the numbers in label maps to channel numbers; shape and type stay.

    Args:
        keys: keys of label maps (1, X, Y, Z).
        labels: see `numbers_and_names`.

    Raises:
        InputError: a map holds a value that no label has.
    """

    def __init__(self, keys, labels: Mapping[str, str]) -> None:
        super().__init__(keys)
        self.labels = labels
        self.numbers = torch.tensor([number for number, _ in numbers_and_names(labels)])

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data):
            values = data[key].as_tensor().contiguous()
            numbers = self.numbers.to(values.device, values.dtype)
            channels = torch.searchsorted(numbers, values).clamp_(max=len(numbers) - 1)
            if (numbers[channels] != values).any():
                self._refuse(data[key])
            data[key] = convert_to_dst_type(channels, dst=data[key])[0]
        return data

    def _refuse(self, values: MetaTensor) -> None:
        unknown = unknown_values(values.cpu().numpy(), self.labels)
        raise InputError(describe_unknown(values.meta["filename_or_obj"], unknown, self.labels))


class ChannelsToLabelsd(MapTransform):
    """Maps channel numbers to the numbers in label files: the reverse of `LabelsToChannelsd`.

    Args:
        keys: keys of maps (1, X, Y, Z), uint8.
        labels: see `numbers_and_names`.
    """

    def __init__(self, keys, labels: Mapping[str, str]) -> None:
        super().__init__(keys)
        numbers = [number for number, _ in numbers_and_names(labels)]
        self.table = torch.tensor(numbers, dtype=torch.uint8)
        self.is_identity = numbers == list(range(len(numbers)))

    def __call__(self, data):
        data = dict(data)
        for key in () if self.is_identity else self.key_iterator(data):
            label_map = data[key].clone()
            for plane in label_map.unbind(1):  # an index takes eight bytes a voxel
                plane.copy_(self.table[plane.long()])
            data[key] = label_map
        return data


def class_weights(
    weights: Sequence[float] | None, labels: Mapping[str, str], device: str | torch.device
) -> Tensor | None:
    """Makes the loss's weights (channels,), float32; None weighs all channels alike.

    Args:
        weights: one for each label, in ascending order of its number: [0.5, 1, 2].
        labels: see `numbers_and_names`.

    Raises:
        InputError: the number of weights is not that of the labels.
    """
    if not weights:
        return None
    if len(weights) != len(labels):
        raise InputError(
            f"class_weights are {len(weights)}, labels {len(labels)}; give one for each, or null."
        )
    return torch.tensor(weights, dtype=torch.float32, device=device)
