"""Stores spacing, intensity range and patch merging beside weights, and compares them later.

PyTorch keeps metadata with a state dict (`_metadata`), saves and loads it. There they lie, so that
the file stays a plain state dict. The architecture needs no such note: see `architecture`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from inspect import signature
from typing import Any

from monai.transforms import Compose, Spacingd, Transform
from monai.transforms.intensity import dictionary as intensity_transforms
from monai.utils import ensure_tuple
from torch import Tensor, nn

from ..network.patch_merging import WEIGHT, merging_of

KEY = "trained_with"
SKIPPED = ("keys", "allow_missing_keys")  # say nothing about intensities
MERGING = "merging"  # the kind by which the weights are to be run
STARTED_FROM = "started_from_merging"  # another kind, of the weights that their training began with


def preprocessing_of(
    transforms: Iterable[Transform] | Compose,
    task: str = "",
    labels: Mapping[str, str] | None = None,
) -> dict:
    """Describes how images are prepared, from the very transforms that prepare them.

    Args:
        transforms: the deterministic ones of a training or an inference; those inside others count.
        task: name of the task; left out when empty.
        labels: names by number; left out when None.

    Returns:
        `spacing_mm` of the transform that resamples, `intensity`: class and arguments of each
        transform of intensities, in order, then `task` and `labels`.
    """
    note: dict[str, Any] = {"intensity": []}
    for transform in _flattened(transforms):
        if isinstance(transform, Spacingd):
            pixdim = transform.spacing_transform.pixdim
            note["spacing_mm"] = [float(mm) for mm in ensure_tuple(pixdim)]
        elif type(transform).__module__ == intensity_transforms.__name__:
            note["intensity"].append([type(transform).__name__, _arguments(transform)])
    return note | ({"task": task} if task else {}) | ({"labels": dict(labels)} if labels else {})


def _flattened(transforms: Iterable[Transform] | Compose) -> Iterator[Transform]:
    """Yields transforms, and after one that holds a `Compose` those in it."""
    for transform in transforms.transforms if isinstance(transforms, Compose) else transforms:
        if not isinstance(transform, Compose):
            yield transform
        for part in [transform, *vars(transform).values()]:
            if isinstance(part, Compose):
                yield from _flattened(part)


def _arguments(transform: Transform) -> dict:
    """Returns what a MONAI transform was made with: it keeps its arguments by their names.

    Those of a dictionary transform lie in the array transform that it holds.
    """
    holders = [transform, *(v for v in vars(transform).values() if isinstance(v, Transform))]
    found = {}
    for name in signature(type(transform).__init__).parameters:
        value = next((vars(h)[name] for h in holders if name in vars(h)), None)
        if isinstance(value, (bool, int, float, str, list, tuple)) and name not in SKIPPED:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def attach_metadata(network: nn.Module, trained_with: Mapping[str, Any]) -> None:
    """Let every state dict of the network attach_metadata this from now on.

    Args:
        trained_with: what `preprocessing_of` returns. The network's patch merging is added.
    """
    note = dict(trained_with)
    network.register_state_dict_post_hook(partial(_note, note))
    network.register_load_state_dict_pre_hook(partial(_keep_starting_merging, note))


def _keep_starting_merging(note: dict, network: nn.Module, state: Mapping[str, Tensor], *_) -> None:
    """Keep what loaded weights were started from; MONAI Label loads by a handler of its own."""
    first = (read_metadata(state) or {}).get(STARTED_FROM)
    if first is not None:
        note[STARTED_FROM] = first


def _note(trained_with: dict, network: nn.Module, state: Any, *_) -> None:
    merging = merging_of(network)
    own = trained_with | ({MERGING: merging} if merging else {})
    state._metadata[KEY] = state._metadata.get(KEY, {}) | own


def with_metadata(
    tensors: Mapping[str, Tensor],
    trained_with: Mapping[str, Any] | None,
    merging: str | None = None,
) -> OrderedDict:
    """Tensors as a state dict that carries this, to be saved or loaded; None carries nothing.

    The merging lies in the note, and where each module of a network looks for it when it loads.
    """
    state, note = OrderedDict(tensors), dict(trained_with or {})
    metadata = OrderedDict()
    if merging is not None:
        note[MERGING] = merging
        for name in tensors:
            if name.endswith(f".downsample.{WEIGHT}"):
                metadata[name.removesuffix(f".{WEIGHT}")] = {"version": 1, MERGING: merging}
    if note:
        state._metadata = metadata | {KEY: note}
    return state


def read_metadata(state: Mapping[str, Tensor]) -> dict | None:
    """What a state dict carries; None for one from elsewhere.

    The state dict of a network that `attach_metadata` has not seen has its patch merging alone.
    """
    metadata = getattr(state, "_metadata", {})
    of_modules = (value.get(MERGING) for value in metadata.values() if isinstance(value, Mapping))
    merging = next((kind for kind in of_modules if kind), None)
    note = ({MERGING: merging} if merging else {}) | metadata.get(KEY, {})
    return note or None


def merging_in(state: Mapping[str, Tensor]) -> str | None:
    """The patch merging that a state dict carries; None for one that says nothing."""
    return (read_metadata(state) or {}).get(MERGING)


def describe(trained_with: Mapping[str, Any]) -> dict[str, str]:
    """What is compared, as it is told: `{"spacing": "1.5 x 1.5 x 2 mm", "intensity": …}`.

    Empty for a note that has the patch merging alone, which `find_merging` compares.
    """
    if "spacing_mm" not in trained_with:
        return {}
    intensity = _intensity(trained_with)
    spacing_mm = ensure_tuple(trained_with["spacing_mm"])
    spacing_mm = spacing_mm * 3 if len(spacing_mm) == 1 else spacing_mm  # one for all axes
    spacing = " x ".join(f"{mm:g}" for mm in spacing_mm)
    return {"spacing": f"{spacing} mm", "intensity": intensity}


def _intensity(note: Mapping[str, Any]) -> str:
    """Returns words for what is done to intensities, the same for notes old and new."""
    if "intensity" not in note:  # written before the transforms themselves were noted
        low, high, mean, sd = (
            note.get(f"intensity_{name}") for name in ("min", "max", "mean", "sd")
        )
        words = "normalised by each image" if low is None else f"{low:g} to {high:g}"
        return words + (f", mean {mean:g}, sd {sd:g}" if mean is not None else "")
    words = [_words(name, arguments) for name, arguments in note["intensity"]]
    return ", ".join(words) or "as in the file"


def _words(name: str, arguments: Mapping[str, Any]) -> str:
    a, b = ([arguments.get(f"{letter}_{end}") for end in ("min", "max")] for letter in "ab")
    if name == "ScaleIntensityRanged" and arguments.get("clip"):
        scaled = "" if b in ([0, 1], a) else f" as {b[0]:g} to {b[1]:g}"
        return f"{a[0]:g} to {a[1]:g}{scaled}"
    if name == "NormalizeIntensityd" and arguments.get("subtrahend") is not None:
        return f"mean {arguments['subtrahend']:g}, sd {arguments['divisor']:g}"
    if name == "NormalizeIntensityd" and arguments.get("nonzero") and arguments.get("channel_wise"):
        return "normalised by each image"
    told = ", ".join(f"{key} {value}" for key, value in arguments.items())
    return f"{name} ({told})"


def describe_mismatch(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """`spacing 1.5 x 1.5 x 2 mm, here 5 x 5 x 5 mm`, and so on; empty when they agree."""
    here = describe(ours)
    return " and ".join(
        f"{name} {value}, here {here[name]}"
        for name, value in describe(theirs).items()
        if value != here[name]
    )


def describe_agreement(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any] | None) -> str:
    """Words for the line about weights that are taken."""
    if not theirs or not describe(theirs):
        return "carries no spacing or intensity range"
    if ours is None:
        return "trained with " + " and ".join(" ".join(pair) for pair in describe(theirs).items())
    other = describe_mismatch(theirs, ours)
    return f"trained with {other}" if other else "trained with this spacing and intensity range"
