# generated from common/network/patch_merging.py, do not edit: `make copies`
"""Runs patch merging as the weights were trained with it: as MONAI does now, or before 1.5.0.

MONAI 1.5.0 changed which voxels its default patch merging takes, not its tensors, so the same
weights are two functions. The bundle's docs/weights.md has what that means for a user.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets import swin_unetr
from torch import Tensor, nn

from .. import BUNDLE
from ..errors import InputError

AUTO, CURRENT, LEGACY = "auto", "current", "legacy"
# Place (i, j, k), in a block of 2 x 2 x 2 tokens, of the token that fills each eighth of the merged
# one. Before 1.5.0 two places came twice, and 110 and 011 never.
SLICES = {
    CURRENT: ("000", "100", "010", "001", "110", "101", "011", "111"),
    LEGACY: ("000", "100", "010", "001", "101", "010", "001", "111"),
}
# Orders of other programs; they take each place once, so a permutation gives the current one.
SMIT = ("000", "100", "010", "001", "110", "011", "101", "111")
MERGINGV2 = ("000", "001", "010", "011", "100", "101", "110", "111")  # MONAI's option
WEIGHT = "reduction.weight"  # (2C, 8C), by columns in the order of the slices


class LegacyPatchMerging(swin_unetr.PatchMerging):
    """The patch merging of MONAI up to 1.4.0: (B, X, Y, Z, C) to (B, X/2, Y/2, Z/2, 2C).

    Odd sizes are padded with zeros. In 2D, (B, X, Y, C), nothing has changed between the versions.

    Source: `PatchMerging` in `monai/networks/nets/swin_unetr.py` of MONAI 1.4.0.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 4:
            return super().forward(x)
        odd_x, odd_y, odd_z = (int(size) % 2 for size in x.shape[1:4])
        if odd_x or odd_y or odd_z:
            x = nn.functional.pad(x, (0, 0, 0, odd_z, 0, odd_y, 0, odd_x))
        places = [map(int, place) for place in SLICES[LEGACY]]
        x = torch.cat([x[:, i::2, j::2, k::2] for i, j, k in places], -1)
        return self.reduction(self.norm(x))


class PatchMerging(LegacyPatchMerging):
    """Patch merging of either kind; give it to MONAI's networks as `downsample`.

    A state dict that it saves says which kind it is, beside the tensors, and one that it loads
    decides it. So a program that knows only the network and the file, such as MONAI Label, runs
    the function that was trained.

    Args:
        dim, norm_layer, spatial_dims: as MONAI's.
        merging: `current` or `legacy`; `auto` is the kind that loaded weights say, and `current`
            before any are loaded.
    """

    def __init__(
        self,
        dim: int,
        norm_layer: type[nn.LayerNorm] = nn.LayerNorm,
        spatial_dims: int = 3,
        merging: str = AUTO,
    ) -> None:
        super().__init__(dim=dim, norm_layer=norm_layer, spatial_dims=spatial_dims)
        check_kind(merging)
        self.asked = merging
        self.decided = None if merging == AUTO else merging

    @property
    def merging(self) -> str:
        return self.decided or CURRENT

    def forward(self, x: Tensor) -> Tensor:
        if self.merging == LEGACY:
            return super().forward(x)
        return swin_unetr.PatchMerging.forward(self, x)

    def extra_repr(self) -> str:
        return f"merging={self.merging}"

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]]["merging"] = self.merging

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ) -> None:
        weight = state_dict.get(prefix + WEIGHT)
        if weight is not None:
            told = None if self.asked == AUTO else self.asked
            theirs = local_metadata.get("merging") or told or _merging_of_deployed(prefix, weight)
            if theirs is None:
                error_msgs.append(UNDECIDED)
            elif theirs not in SLICES:
                error_msgs.append(
                    f"These weights say patch merging {theirs}, which is not known here; there are "
                    f"{' and '.join(SLICES)}."
                )
            elif self.asked not in (AUTO, theirs):
                error_msgs.append(
                    f"These weights were trained with patch merging {theirs}, and the config "
                    f'says "merging": "{self.asked}"; give {theirs} or auto there.'
                )
            else:
                self.decided = theirs
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


UNDECIDED = (
    "These weights do not say with which of MONAI's two patch mergings they were trained, and the "
    "configuration has merging auto; write them anew by `python -m scripts weights convert`, "
    'which adds it, or set "merging" to current (MONAI 1.5.0 and later) or legacy (before) there.'
)


def merging_of(network: nn.Module) -> str | None:
    """The kind by which a network runs now; None of a network without patch merging in 3D."""
    for module in network.modules():
        if isinstance(module, PatchMerging):
            return module.merging
        if isinstance(module, swin_unetr.PatchMerging):
            return LEGACY if isinstance(module, LegacyPatchMerging) else CURRENT
    return None


def asked_merging(network: nn.Module) -> str:
    """The knob that a network was built with: `auto`, `current` or `legacy`."""
    found = (module.asked for module in network.modules() if isinstance(module, PatchMerging))
    return next(found, AUTO)


def set_merging(network: nn.Module, merging: str) -> None:
    """Run a network by this kind from now on, until it loads weights that say another.

    Patch mergings of MONAI's own class become ours; weights and state-dict keys stay.

    Raises:
        InputError: there is no such kind.
    """
    check_kind(merging)
    for module in network.modules():
        if type(module) in (swin_unetr.PatchMerging, LegacyPatchMerging):
            module.__class__, module.asked = PatchMerging, AUTO
        if isinstance(module, PatchMerging):
            module.decided = merging


def in_current_order(tensors: Mapping[str, Tensor], order: Sequence[str]) -> dict[str, Tensor]:
    """Weights that merge patches in another order, as the current merging takes them.

    Exact: columns of the reduction, and the norm's weight and bias, change places by eighths.

    Args:
        tensors: a state dict by any names; what belongs to no patch merging stays as it is.
        order: the eight places, each of them once, in the order of the training.
    """
    eighths = [order.index(place) for place in SLICES[CURRENT]]
    return {
        name: value.unflatten(-1, (8, -1))[..., eighths, :].flatten(-2)
        if re.search(r"\bdownsample\.(reduction|norm)\.", name) and _has_eighths(value)
        else value
        for name, value in tensors.items()
    }


def _has_eighths(value: Tensor) -> bool:
    """Whether the last axis has eight groups; what has none is refused later, by its shape."""
    return value.ndim > 0 and value.numel() > 0 and value.shape[-1] % 8 == 0


def check_kind(merging: str) -> str:
    """The knob itself, when it has a value that there is; else an `InputError`."""
    if merging not in (AUTO, CURRENT, LEGACY):
        raise InputError(f"--merging {merging} is unknown; give auto, current or legacy.")
    return merging


def _merging_of_deployed(prefix: str, weight: Tensor) -> str | None:
    """What this bundle's `models/model.pt` says, when these are its weights.

    `monai.bundle.load` hands over a file's tensors without what lies beside them.
    """
    path = BUNDLE / "models/model.pt"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        is_same = torch.equal(state[prefix + WEIGHT], weight.cpu())
        return state._metadata[prefix[:-1]]["merging"] if is_same else None
    except Exception:  # no file, or none that says it: there are as many kinds of error as formats
        return None
