# generated from common/segmentation/label_transforms.py, do not edit: `make copies`
"""Numbers in label files, and the network's channels: channel i is the i-th smallest number."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import Tensor

from ..errors import InputError


def numbers_and_names(labels: Mapping[str, str]) -> list[tuple[int, str]]:
    """Number in label files and name of each channel.

    Args:
        labels: names by number as text, `{"0": "background", "1": "spleen", …}`.

    Raises:
        InputError: a number is none of 0 to 255, 0 is not there or nothing else is, or two labels
            have one name.
    """
    try:
        found = sorted((int(number), str(name)) for number, name in labels.items())
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"labels {labels} are not names by number; mend them.") from error
    numbers, names = zip(*found) if found else ((), ())
    are_unique = len(set(names)) == len(names) and len(set(numbers)) == len(numbers)
    if 0 not in numbers or len(found) < 2 or not are_unique or not 0 <= numbers[-1] <= 255:
        raise InputError(
            f"labels {labels} need 0, the background, and others up to 255, each with a name of "
            "its own; mend them."
        )
    if numbers[0] < 0:
        raise InputError(f"labels {labels} have a number below 0; label files hold none.")
    return found


def unknown_values(values: np.ndarray, labels: Mapping[str, str]) -> list[float]:
    """Values of a label map that no label has, ascending."""
    known = [number for number, _ in numbers_and_names(labels)]
    return [float(value) for value in np.unique(values) if value not in known]


def in_words(values: Sequence[float]) -> str:
    """`3, 4.5`; of many the first five and how many more."""
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return ", ".join(f"{value:g}" for value in values[:5]) + more


class LabelsToChannelsd(MapTransform):
    """Label maps with the files' numbers to maps of channel numbers, of the same shape and type.

    Args:
        keys: of label maps.
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
        raise InputError(
            f"{values.meta['filename_or_obj']} holds {in_words(unknown)}, which no label has; add "
            "to `labels` what is missing, or mend the file."
        )


class ChannelsToLabelsd(MapTransform):
    """Maps of channel numbers to the files' numbers: the reverse of `LabelsToChannelsd`.

    Args:
        keys: of maps (1, X, Y, Z), uint8.
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
            made = data[key].clone()
            for plane in made.unbind(1):  # an index takes eight bytes a voxel
                plane.copy_(self.table[plane.long()])
            data[key] = made
        return data


def class_weights(
    weights: Sequence[float] | None, labels: Mapping[str, str], device: str | torch.device
) -> Tensor | None:
    """The loss's weights of the channels; None weighs all alike.

    Raises:
        InputError: they are not one for each label.
    """
    if not weights:
        return None
    if len(weights) != len(labels):
        raise InputError(
            f"class_weights are {len(weights)}, labels {len(labels)}; give one for each, or null."
        )
    return torch.tensor(weights, dtype=torch.float32, device=device)
