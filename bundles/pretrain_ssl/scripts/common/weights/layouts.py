# generated from common/weights/layouts.py, do not edit: `make copies`
"""Layouts of public checkpoints: how each is recognised, and its names in SwinUNETR's own."""

import re
from dataclasses import dataclass

from torch import Tensor

from ..errors import InputError
from ..network.encoder import ENCODER
from ..network.patch_merging import CURRENT, LEGACY, SMIT, in_current_order
from .checkpoint_file import read_state_dict
from .find_merging import Evidence, find_merging
from .preprocessing_note import read_metadata


@dataclass(frozen=True)
class Layout:
    """One way to name the tensors.

    Args:
        name: for the report.
        mark: pattern of a name that this layout has and none of those below it.
        renames: patterns and replacements, in order, that give SwinUNETR's names.
        merging: the patch merging of every file of this layout; None where the names do not tell.
        order: how its patch merging orders the eight slices, where that is neither of MONAI's.
    """

    name: str
    mark: str
    renames: tuple[tuple[str, str], ...] = ()
    merging: str | None = None
    order: tuple[str, ...] | None = None


WRAPPERS = (r"^((module|_orig_mod)\.)+", "")  # prefixes that any file may have
OLDER_MLP = (r"\.mlp\.fc([12])\.", r".mlp.linear\1.")
BARE = ((r"^(?=(patch_embed|layers[1-4]c?|norm)\.)", ENCODER),)
LAYOUTS = (
    Layout(
        "Disruptive Autoencoders",
        r"^encoder\.layers1\.0\.",
        ((r"^encoder\.(layers[1-4]\.0)\.(\d+\.)?", r"swinViT.\1."), (r"^encoder\.", ENCODER)),
        merging=LEGACY,
    ),
    Layout("SuPreM", r"^backbone\.swinViT\.", ((r"^backbone\.", ""),), merging=LEGACY),
    Layout("model_swinvit.pt (Tang et al.)", r"^layers1\.0\..*\.mlp\.fc1\.", BARE, merging=LEGACY),
    Layout("SwinTransformer by itself", r"^layers1\.0\.", BARE),
    Layout(
        "SMIT",
        r"^(transformer\.)?layers\.0\.blocks\.",
        (
            (r"^transformer\.", ""),
            *((rf"^layers\.{stage}\.", f"{ENCODER}layers{stage + 1}.0.") for stage in range(4)),
            (r"^patch_embed\.", f"{ENCODER}patch_embed."),
        ),
        merging=CURRENT,
        order=SMIT,
    ),
    Layout("pre-training of this project", r"^reconstruction_head\.", merging=CURRENT),
    Layout(
        "official pre-training script",
        r"^(swin_vit|rotation_head|contrastive_head)\.",
        ((r"^swin_vit\.", ENCODER),),
    ),
    Layout("SwinUNETR with use_v2, as VoCo", r"^swinViT\.layers1c\."),
    Layout("SwinUNETR", r"^swinViT\."),
)


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    Args:
        path: the file.
        layout: the name of its layout.
        tensors: by SwinUNETR's names.
        trained_with: spacing and intensity range of its training, or None; see
            `preprocessing_note`.
        evidence: what tells the patch merging of its training.
    """

    path: str
    layout: str
    tensors: dict[str, Tensor]
    trained_with: dict | None
    evidence: Evidence


def read_weights(path: str, remedy: str) -> Weights:
    """Weights of any layout above.

    Args:
        path: the file.
        remedy: how to get one; closes the sentence where the file is none.

    Raises:
        InputError: see `checkpoint_file.read_state_dict`; or its layout is none of these.
    """
    state = read_state_dict(path, remedy)
    given = {_renamed(name, (WRAPPERS,)): value for name, value in state.items()}
    layout = next((one for one in LAYOUTS if any(re.search(one.mark, n) for n in given)), None)
    if layout is None:
        raise InputError(
            f"{path} has no encoder of a Swin UNETR, by no name that is known here (its first "
            f"tensor is {next(iter(state))}); {remedy}"
        )
    renames = (OLDER_MLP, *layout.renames)
    tensors = {_renamed(name, renames): value for name, value in given.items()}
    if len(tensors) < len(state):
        raise InputError(
            f"{path} has {len(state)} tensors, but only {len(tensors)} different names of "
            f"{layout.name}; it holds more than one network, save the one you want by itself."
        )
    if layout.order:
        tensors = in_current_order(tensors, layout.order)
    note = read_metadata(state)
    evidence = find_merging(path, tensors, layout.merging, note)
    return Weights(path, layout.name, tensors, note, evidence)


def _renamed(name: str, renames: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name
