# generated from common/network/patch_merging.py, do not edit: `make copies`
"""Runs patch merging by the kind of the weights' training: MONAI's of today, or before 1.5.0.

MONAI 1.5.0 changed the voxels that its default patch merging takes, and not its tensors, so the
same weights are two functions. The bundle's docs/weights.md tells the consequences for a user.
"""

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
WEIGHT = "reduction.weight"  # (2C, 8C), by columns in the order of the slices


class LegacyPatchMerging(swin_unetr.PatchMerging):
    """Merges patches as MONAI did up to 1.4.0: (B, X, Y, Z, C) to (B, X/2, Y/2, Z/2, 2C).

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
    """Merges patches by either kind; give this class to MONAI's networks as `downsample`.

    A saved state dict carries the kind beside the tensors, and a loaded one sets it. So a program
    that knows only the network and the file, such as MONAI Label, runs the function that was
    trained.

    Args:
        dim, norm_layer, spatial_dims: as MONAI's.
        merging: `current` or `legacy`; `auto` is the kind that loaded weights carry, and `current`
            before any weights are loaded.

    Raises:
        InputError: there is no such kind.
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
        """Returns the kind by which the module runs: `current` or `legacy`."""
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
            asked = None if self.asked == AUTO else self.asked
            merging = local_metadata.get("merging") or asked or _merging_of_deployed(prefix, weight)
            problem = _describe_problem(merging, self.asked)
            if problem:
                error_msgs.append(problem)
            else:
                self.decided = merging
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


UNDECIDED = (
    "These weights do not say with which of MONAI's two patch mergings they were trained, and the "
    "configuration has merging auto; write them anew by `python -m scripts weights convert`, "
    'which adds it, or set "merging" to current (MONAI 1.5.0 and later) or legacy (before) there.'
)


def _describe_problem(merging: str | None, asked: str) -> str:
    """Tells why weights of this merging cannot run by the knob; empty when they can."""
    if merging is None:
        return UNDECIDED
    if merging not in SLICES:
        return (
            f"These weights say patch merging {merging}, which is not known here; there are "
            f"{' and '.join(SLICES)}."
        )
    if asked not in (AUTO, merging):
        return (
            f"These weights were trained with patch merging {merging}, and the config "
            f'says "merging": "{asked}"; give {merging} or auto there.'
        )
    return ""


def merging_of(network: nn.Module) -> str | None:
    """Returns the kind by which a network runs; None without patch merging in 3D."""
    for module in network.modules():
        if isinstance(module, PatchMerging):
            return module.merging
        if isinstance(module, swin_unetr.PatchMerging):
            return LEGACY if isinstance(module, LegacyPatchMerging) else CURRENT
    return None


def asked_merging(network: nn.Module) -> str:
    """Returns the knob with which a network was built: `auto`, `current` or `legacy`."""
    knobs = (module.asked for module in network.modules() if isinstance(module, PatchMerging))
    return next(knobs, AUTO)


def set_merging(network: nn.Module, merging: str) -> None:
    """Sets the kind by which a network runs, until weights of another kind are loaded.

    Patch mergings of MONAI's own class become `PatchMerging`; weights and state-dict keys stay.

    Raises:
        InputError: there is no such kind.
    """
    check_kind(merging)
    for module in network.modules():
        if type(module) in (swin_unetr.PatchMerging, LegacyPatchMerging):
            module.__class__, module.asked = PatchMerging, AUTO
        if isinstance(module, PatchMerging):
            module.decided = merging


def check_kind(merging: str) -> str:
    """Returns the knob `merging` when its value is valid.

    Raises:
        InputError: the value is none of auto, current and legacy.
    """
    if merging not in (AUTO, CURRENT, LEGACY):
        raise InputError(f"--merging {merging} is unknown; give auto, current or legacy.")
    return merging


def _merging_of_deployed(prefix: str, weight: Tensor) -> str | None:
    """Reads the kind from the note of this bundle's `models/model.pt`, if these are its weights.

    `monai.bundle.load` hands over a file's tensors without the note beside them.
    """
    path = BUNDLE / "models/model.pt"
    try:
        state_dict = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        is_same = torch.equal(state_dict[prefix + WEIGHT], weight.cpu())
        return state_dict._metadata[prefix[:-1]]["merging"] if is_same else None
    except Exception:  # no file, or none that says it: there are as many kinds of error as formats
        return None
