# Shared: the original is bundles/btcv_segmentation/scripts/agreement.py (see tools/vendor.py).
"""Spacing and intensity range that weights were trained with: they travel with them.

PyTorch keeps metadata with a state dict (`_metadata`), saves and loads it. There they lie, so that
the file stays a plain state dict. The architecture needs no such note: see `architecture`.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from monai.utils import ensure_tuple
from torch import Tensor, nn

KEY = "trained_with"


def carry(network: nn.Module, trained_with: Mapping[str, Any]) -> None:
    """Let every state dict of the network carry this from now on.

    Args:
        trained_with: `spacing_mm`, `intensity_min`, `intensity_max`, and where intensities are then
            normalised `intensity_mean`, `intensity_sd`; None where each image gives its own.
    """
    network.register_state_dict_post_hook(partial(_note, dict(trained_with)))


def _note(trained_with: dict, network: nn.Module, state: Any, *_) -> None:
    state._metadata[KEY] = trained_with


def noted(tensors: Mapping[str, Tensor], trained_with: Mapping[str, Any] | None) -> OrderedDict:
    """Tensors as a state dict that carries this, to be saved; None carries nothing."""
    state = OrderedDict(tensors)
    if trained_with is not None:
        state._metadata = OrderedDict({KEY: dict(trained_with)})
    return state


def carried(state: Mapping[str, Tensor]) -> dict | None:
    """What a state dict carries; None for one from elsewhere."""
    return getattr(state, "_metadata", {}).get(KEY)


def in_words(trained_with: Mapping[str, Any]) -> dict[str, str]:
    """What is compared, as it is told: `{"spacing": "1.5 x 1.5 x 2 mm", "intensity": …}`."""
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


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """`spacing 1.5 x 1.5 x 2 mm, here 5 x 5 x 5 mm`, and so on; empty when they agree."""
    here = in_words(ours)
    return " and ".join(
        f"{name} {value}, here {here[name]}"
        for name, value in in_words(theirs).items()
        if value != here[name]
    )


def report(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any] | None) -> str:
    """Words for the line about weights that are taken."""
    if theirs is None:
        return "carries no spacing or intensity range"
    if ours is None:
        return "trained with " + " and ".join(" ".join(pair) for pair in in_words(theirs).items())
    other = difference(theirs, ours)
    return f"trained with {other}" if other else "trained with this spacing and intensity range"
