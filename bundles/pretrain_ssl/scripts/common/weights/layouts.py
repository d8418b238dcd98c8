# generated from common/weights/layouts.py, do not edit: `make copies`
"""Recognises the layouts of public checkpoints, and renames tensors to SwinUNETR's names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import InputError
from ..network.encoder import ENCODER
from ..network.patch_merging import CURRENT, LEGACY
from ..network.slice_order import SMIT, in_current_order
from .checkpoint_file import read_state_dict
from .find_merging import Evidence, find_merging
from .image_layouts import LACKING, MLP, read_image_layout, rename
from .inflate import inflate
from .preprocessing_note import read_metadata


@dataclass(frozen=True)
class Layout:
    r"""Describes one way to name the tensors of a checkpoint.

    Args:
        name: the layout's name in the report.
        mark: pattern of a tensor's name that this layout has and no layout below it.
        renames: patterns and replacements, in order, that give SwinUNETR's names:
            `((r"^backbone\.", ""),)`.
        merging: the patch merging of every file of this layout; None where the names do not tell.
        order: how its patch merging orders the eight slices, where that is neither of MONAI's.
    """

    name: str
    mark: str
    renames: tuple[tuple[str, str], ...] = ()
    merging: str | None = None
    order: tuple[str, ...] | None = None


WRAPPERS = (r"^((module|_orig_mod)\.)+", "")  # prefixes that any file may have
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
    """Holds the weights of a file, and how the file describes their training.

    Args:
        path: the file.
        layout: the name of its layout.
        tensors: by SwinUNETR's names.
        trained_with: spacing and intensity range of its training, or None; see
            `preprocessing_note`.
        evidence: patch merging of its training, and its source.
        lacking: how the names of encoder tensors begin that no file of its layout has; else empty.
    """

    path: str
    layout: str
    tensors: dict[str, Tensor]
    trained_with: dict | None
    evidence: Evidence
    lacking: str = ""


def read_weights(path: str, remedy: str, window: Sequence[int] | None = None) -> Weights:
    """Reads the weights of a file of any known layout.

    Args:
        path: the file.
        remedy: how to get weights; closes the sentence where the file has none.
        window: the network's, for weights of images and videos; see `inflate.inflate`.

    Raises:
        InputError: see `checkpoint_file.read_state_dict`; or its layout is not known, or it
            holds more than one network.
    """
    state_dict = read_state_dict(path, remedy)
    file_tensors = {rename(name, (WRAPPERS,)): value for name, value in state_dict.items()}
    from_images = _read_images(path, file_tensors, window)
    if from_images:
        return from_images
    matches = (one for one in LAYOUTS if any(re.search(one.mark, name) for name in file_tensors))
    layout = next(matches, None)
    if layout is None:
        raise InputError(
            f"{path} has no encoder of a Swin UNETR, by no name that is known here (its first "
            f"tensor is {next(iter(state_dict))}); {remedy}"
        )
    renames = (MLP, *layout.renames)
    tensors = {rename(name, renames): value for name, value in file_tensors.items()}
    if len(tensors) < len(state_dict):
        raise InputError(
            f"{path} has {len(state_dict)} tensors, but only {len(tensors)} different names of "
            f"{layout.name}; it holds more than one network, save the one you want by itself."
        )
    if layout.order:
        tensors = in_current_order(tensors, layout.order)
    note = read_metadata(state_dict)
    evidence = find_merging(path, tensors, layout.merging, note)
    return Weights(path, layout.name, tensors, note, evidence)


def _read_images(
    path: str, file_tensors: dict[str, Tensor], window: Sequence[int] | None
) -> Weights | None:
    """Inflates the weights of a Swin network of images or videos; None for any other file."""
    named = read_image_layout(path, file_tensors)
    if named is None:
        return None
    layout, tensors = named
    evidence = Evidence(CURRENT, "as it is inflated")
    return Weights(path, layout, inflate(tensors, window), None, evidence, LACKING)
