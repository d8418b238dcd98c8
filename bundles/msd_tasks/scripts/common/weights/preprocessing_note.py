# generated from common/weights/preprocessing_note.py, do not edit: `make copies`
"""Stores spacing, intensity range and patch merging beside weights, and compares them later.

PyTorch keeps metadata with a state dict (`_metadata`), saves and loads it. There they lie, so that
the file stays a plain state dict. The architecture needs no such note: see `architecture`.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from monai.utils import ensure_tuple
from torch import Tensor, nn

from ..network.patch_merging import WEIGHT, merging_of

KEY = "trained_with"
MERGING = "merging"  # the kind by which the weights are to be run
STARTED_FROM = "started_from_merging"  # another kind, of the weights that their training began with


def attach_metadata(network: nn.Module, trained_with: Mapping[str, Any]) -> None:
    """Let every state dict of the network attach_metadata this from now on.

    Args:
        trained_with: `spacing_mm`, `intensity_min`, `intensity_max`, and where intensities are then
            normalised `intensity_mean`, `intensity_sd`; None where each image gives its own. The
            network's patch merging is added.
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
    low, high, mean, sd = (
        trained_with.get(f"intensity_{name}") for name in ("min", "max", "mean", "sd")
    )
    intensity = "normalised by each image" if low is None else f"{low:g} to {high:g}"
    if mean is not None:
        intensity += f", mean {mean:g}, sd {sd:g}"
    spacing_mm = ensure_tuple(trained_with["spacing_mm"])
    spacing_mm = spacing_mm * 3 if len(spacing_mm) == 1 else spacing_mm  # one for all axes
    spacing = " x ".join(f"{mm:g}" for mm in spacing_mm)
    return {"spacing": f"{spacing} mm", "intensity": intensity}


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
