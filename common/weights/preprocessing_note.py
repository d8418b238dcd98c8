"""Stores spacing, intensity range and patch merging beside weights, and compares them later.

PyTorch saves and loads metadata with every state dict (`_metadata`). The note lies there, so that
the file stays a plain state dict. The architecture needs no note: see `architecture`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from monai.utils import ensure_tuple
from torch import Tensor, nn

from ..network.patch_merging import WEIGHT, merging_of
from . import training_images

KEY = "trained_with"
MERGING = "merging"  # the kind by which the weights are to be run
STARTED_FROM = "started_from_merging"  # another kind, of the weights that their training began with


def attach_metadata(network: nn.Module, trained_with: Mapping[str, Any]) -> None:
    """Adds a note to every state dict that the network saves from now on.

    Args:
        network: gets a hook; its state-dict keys stay.
        trained_with: the note of `preprocessing_of`. The network's patch merging is added.
    """
    note = dict(trained_with)
    network.register_state_dict_post_hook(partial(_add_note, note))
    network.register_load_state_dict_pre_hook(partial(_keep_past, note))


def _keep_past(note: dict, network: nn.Module, state: Mapping[str, Tensor], *_) -> None:
    """Keeps the merging that loaded weights started from, and the images that they have seen.

    MONAI Label has a loader of its own, so that a training's start is only seen here.
    """
    loaded = read_metadata(state) or {}
    if loaded.get(STARTED_FROM) is not None:
        note[STARTED_FROM] = loaded[STARTED_FROM]
    training_images.join(note, loaded.get(training_images.KEY, []))


def _add_note(trained_with: dict, network: nn.Module, state: Any, *_) -> None:
    merging = merging_of(network)
    before = state._metadata.get(KEY, {})
    note = before | trained_with | ({MERGING: merging} if merging else {})
    training_images.join(note, before.get(training_images.KEY, []))
    state._metadata[KEY] = note


def with_metadata(
    tensors: Mapping[str, Tensor],
    trained_with: Mapping[str, Any] | None,
    merging: str | None = None,
) -> OrderedDict:
    """Returns tensors as a state dict with a note, to be saved or loaded; None is no note.

    The merging lies in the note, and where each module of a network looks for it on loading.
    """
    state_dict, note = OrderedDict(tensors), dict(trained_with or {})
    metadata = OrderedDict()
    if merging is not None:
        note[MERGING] = merging
        for name in tensors:
            if name.endswith(f".downsample.{WEIGHT}"):
                metadata[name.removesuffix(f".{WEIGHT}")] = {"version": 1, MERGING: merging}
    if note:
        state_dict._metadata = metadata | {KEY: note}
    return state_dict


def read_metadata(state: Mapping[str, Tensor]) -> dict | None:
    """Reads the note of a state dict; None for a file from elsewhere.

    Without `attach_metadata`, the note of a network's state dict has the patch merging alone.
    """
    metadata = getattr(state, "_metadata", {})
    of_modules = (value.get(MERGING) for value in metadata.values() if isinstance(value, Mapping))
    merging = next((kind for kind in of_modules if kind), None)
    note = ({MERGING: merging} if merging else {}) | metadata.get(KEY, {})
    return note or None


def merging_in(state: Mapping[str, Tensor]) -> str | None:
    """Reads the patch merging from the note of a state dict; None where the note has none."""
    return (read_metadata(state) or {}).get(MERGING)


def add_to_note(state: Mapping[str, Tensor], images: Iterable[str] = (), **values: Any) -> None:
    """Adds to the note of a network's state dict, where it has one, such as `iterations=500`.

    Args:
        state: of the network.
        images: digests of `training_images`; they join those that the note has.
        values: replace those of the note.
    """
    note = getattr(state, "_metadata", {}).get(KEY)
    if note is not None:
        note.update(values)
        training_images.join(note, images)


def describe(trained_with: Mapping[str, Any], as_old: bool = False) -> dict[str, str]:
    """Describes the compared parts of a note: `{"spacing": "1.5 x 1.5 x 2 mm", "intensity": …}`.

    Empty for a note that has the patch merging alone, which `find_merging` compares.

    Args:
        trained_with: the note.
        as_old: in the words of old notes, which do not tell whether a range of intensities is
            scaled to 0 to 1 or stays.
    """
    if "spacing_mm" not in trained_with:
        return {}
    intensity = _describe_intensity(trained_with, as_old)
    spacing_mm = ensure_tuple(trained_with["spacing_mm"])
    spacing_mm = spacing_mm * 3 if len(spacing_mm) == 1 else spacing_mm  # one for all axes
    spacing = " x ".join(f"{mm:g}" for mm in spacing_mm)
    return {"spacing": f"{spacing} mm", "intensity": intensity}


def _is_old(note: Mapping[str, Any]) -> bool:
    """Tells whether a note was written before the transforms of intensities were noted."""
    return "intensity" not in note


def _describe_intensity(note: Mapping[str, Any], as_old: bool) -> str:
    """Describes the transforms of intensities, `-175 to 250 as 0 to 1`; see `describe`."""
    if _is_old(note):
        low, high, mean, sd = (
            note.get(f"intensity_{name}") for name in ("min", "max", "mean", "sd")
        )
        words = "normalised by each image" if low is None else f"{low:g} to {high:g}"
        return words + (f", mean {mean:g}, sd {sd:g}" if mean is not None else "")
    words = [_describe_transform(*transform, as_old) for transform in note["intensity"]]
    return ", ".join(words) or "as in the file"


def _describe_transform(name: str, arguments: Mapping[str, Any], as_old: bool) -> str:
    a, b = ([arguments.get(f"{letter}_{end}") for end in ("min", "max")] for letter in "ab")
    if name == "ScaleIntensityRanged" and arguments.get("clip"):
        b = [0, 1] if b == [None, None] else b  # to which MONAI scales where none is given
        is_told = b != a and not (as_old and b == [0, 1])
        return f"{a[0]:g} to {a[1]:g}" + (f" as {b[0]:g} to {b[1]:g}" if is_told else "")
    mean_and_sd = arguments.get("subtrahend"), arguments.get("divisor")
    if name == "NormalizeIntensityd" and all(isinstance(v, (int, float)) for v in mean_and_sd):
        return "mean {:g}, sd {:g}".format(*mean_and_sd)
    if name == "NormalizeIntensityd" and arguments.get("nonzero") and arguments.get("channel_wise"):
        return "normalised by each image"
    words = ", ".join(f"{key} {value}" for key, value in arguments.items())
    return f"{name} ({words})"


def describe_preprocessing_mismatch(of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> str:
    """Describes how two notes differ: `spacing 1.5 x 1.5 x 2 mm, here …`; empty when both agree.

    Where one is old, its scale of intensities is not known and not compared.
    """
    as_old = _is_old(of_file) or _is_old(of_run)
    compared, run_words = describe(of_run, as_old), describe(of_run)
    file_words = describe(of_file)
    return " and ".join(
        f"{name} {file_words[name]}, here {run_words.get(name, 'none')}"
        for name, value in describe(of_file, as_old).items()
        if value != compared.get(name)
    )


def describe_agreement(of_file: Mapping[str, Any] | None, of_run: Mapping[str, Any] | None) -> str:
    """Describes how the notes of loaded weights and of this run agree, for the log line."""
    if not of_file or not describe(of_file):
        return "carries no spacing or intensity range"
    if of_run is None:
        return "trained with " + " and ".join(" ".join(pair) for pair in describe(of_file).items())
    mismatch = describe_preprocessing_mismatch(of_file, of_run)
    return (
        f"trained with {mismatch}" if mismatch else "trained with this spacing and intensity range"
    )
