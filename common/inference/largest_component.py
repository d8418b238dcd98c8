"""Keeps the largest connected component of an organ; its other voxels become background."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import optional_import

from ..errors import InputError
from ..segmentation.label_transforms import numbers_and_names

ndimage, has_scipy = optional_import("scipy.ndimage")


class LargestComponentd(MapTransform):
    """Keeps the largest connected component of each chosen organ; the others become 0.

    Voxels that share a face, an edge or a corner are connected, as in MONAI's
    `KeepLargestConnectedComponentd`, which needs scikit-image and goes through the whole volume for
    each organ; this transform goes through the organ's box.

    Args:
        keys: channel numbers (1, X, Y, Z).
        organs: names or numbers of labels, ["liver", 1], or "all" but the background.
        labels: names by number, see `numbers_and_names`.

    Raises:
        InputError: no label has such a name or number, or scipy is not installed.
    """

    def __init__(self, keys, organs: str | Sequence[str | int], labels: Mapping[str, str]) -> None:
        super().__init__(keys)
        self.channels = channels_of(organs, labels)
        if self.channels and not has_scipy:
            raise InputError("--largest_component needs scipy; install it (`pip install scipy`).")

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data) if self.channels else ():
            channels = data[key].as_tensor() if isinstance(data[key], MetaTensor) else data[key]
            kept = largest_components(channels[0].cpu().numpy(), self.channels)
            meta = getattr(data[key], "meta", None)
            data[key] = MetaTensor(torch.from_numpy(kept)[None], meta=meta)
        return data


def channels_of(organs: str | Sequence[str | int], labels: Mapping[str, str]) -> list[int]:
    """Finds the channels of some organs; see `LargestComponentd`."""
    foreground = list(enumerate(numbers_and_names(labels)))[1:]
    if organs == "all":
        return [channel for channel, _ in foreground]
    known = {key: channel for channel, pair in foreground for key in map(str, pair)}
    wanted = [organs] if isinstance(organs, (str, int)) else organs
    for organ in wanted:
        if str(organ) not in known:
            names = ", ".join(name for _, (_, name) in foreground)
            raise InputError(f"--largest_component: no label {organ}; there are {names} and all.")
    return [known[str(organ)] for organ in wanted]


def largest_components(labels: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Returns a copy of a label map (X, Y, Z) with at most one component in each channel."""
    kept = labels.copy()
    boxes = ndimage.find_objects(labels)
    for channel in channels:
        box = boxes[channel - 1] if channel <= len(boxes) else None
        if box is None:
            continue
        mask = labels[box] == channel
        components, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        if count > 1:
            sizes = np.bincount(components.ravel())
            sizes[0] = 0
            kept[box][mask & (components != sizes.argmax())] = 0
    return kept
