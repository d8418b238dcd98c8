# generated from common/weights/note_from_transforms.py, do not edit: `make copies`
"""Derives the note on preprocessing from the very transforms that prepare the images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

from monai.transforms import Compose, Spacingd, Transform
from monai.transforms.intensity import dictionary as intensity_transforms
from monai.utils import ensure_tuple

from . import orientation

SKIPPED = ("keys", "allow_missing_keys")  # say nothing about intensities


def preprocessing_of(
    transforms: Iterable[Transform] | Compose,
    task: str = "",
    labels: Mapping[str, str] | None = None,
    objective: str = "",
    patch_size: Sequence[int] = (),
    objective_knobs: Mapping[str, Any] | None = None,
    msd_orientation: bool | None = None,
) -> dict:
    """Describes the preprocessing of images by its transforms, and what the images are for.

    Args:
        transforms: the deterministic transforms of a training or an inference; those inside others
            count.
        task: name of the task; left out when empty.
        labels: names by number, `{"0": "background", "1": "spleen"}`; left out when None.
        objective: name of the pre-training objective; left out when empty.
        patch_size: of the crops, voxels; left out when empty.
        objective_knobs: what the objective hides or asks, `{"mask_ratio": 0.7}`; left out when
            empty.
        msd_orientation: whether headers that reverse x and y are corrected; left out when None.

    Returns:
        `spacing_mm` of the transform that resamples, `intensity`: class and arguments of each
        transform of intensities, in order, then those of the other arguments that are given.
    """
    note: dict[str, Any] = {"intensity": []}
    for transform in _flattened(transforms):
        if isinstance(transform, Spacingd):
            pixdim = transform.spacing_transform.pixdim
            note["spacing_mm"] = [float(mm) for mm in ensure_tuple(pixdim)]
        elif type(transform).__module__ == intensity_transforms.__name__:
            note["intensity"].append([type(transform).__name__, _arguments(transform)])
    others = {
        "task": task,
        "labels": dict(labels or {}),
        "objective": objective,
        "patch_size": list(patch_size),
        "objective_knobs": _plain(objective_knobs or {}),
    }
    if msd_orientation is not None:
        note[orientation.KEY] = msd_orientation
    return note | {name: value for name, value in others.items() if value}


def _plain(value: Any) -> Any:
    """Turns the lists and dictionaries of a config into plain ones, which `torch.load` takes."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [*map(_plain, value)] if isinstance(value, (list, tuple)) else value


def _flattened(transforms: Iterable[Transform] | Compose) -> Iterator[Transform]:
    """Yields transforms, and after one that holds a `Compose` those in it."""
    for transform in transforms.transforms if isinstance(transforms, Compose) else transforms:
        if not isinstance(transform, Compose):
            yield transform
        for part in [transform, *vars(transform).values()]:
            if isinstance(part, Compose):
                yield from _flattened(part)


def _arguments(transform: Transform) -> dict:
    """Returns the arguments of a MONAI transform, which it keeps as attributes of their names.

    A dictionary transform keeps its arguments in the array transform that it holds.
    """
    holders = [transform, *(v for v in vars(transform).values() if isinstance(v, Transform))]
    arguments = {}
    for name in signature(type(transform).__init__).parameters:
        value = next((vars(h)[name] for h in holders if name in vars(h)), None)
        if isinstance(value, (bool, int, float, str, list, tuple)) and name not in SKIPPED:
            arguments[name] = list(value) if isinstance(value, tuple) else value
    return arguments
