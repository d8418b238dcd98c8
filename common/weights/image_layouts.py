"""Recognises Swin networks of images and videos, and renames their tensors to SwinUNETR's names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from ..network.encoder import ENCODER
from .architecture import PATCH

State = Mapping[str, Tensor]

LACKING = f"{ENCODER}layers4.0.downsample."  # such networks merge no patches after their last stage
STAGES = range(1, 5)


@dataclass(frozen=True)
class ImageLayout:
    """Describes how a library names the tensors of a Swin network of images or videos.

    Args:
        library: its name, for the report.
        mark: pattern of a tensor's name that this layout has and no other.
        renames: patterns and replacements, in order, that give SwinUNETR's names.
    """

    library: str
    mark: str
    renames: tuple[tuple[str, str], ...]


def _by_stage(pattern: str, replacement: str, first: int, step: int = 1) -> tuple:
    """Lists renames of one pattern for each stage, whose number in the file is `{}`."""
    return tuple(
        (pattern.format(first + step * index), ENCODER + replacement.format(stage))
        for index, stage in enumerate(STAGES)
    )


PATCHES = (r"^patch_embed\.", f"{ENCODER}patch_embed.")
MLP = (r"\.mlp\.fc([12])\.", r".mlp.linear\1.")
TORCHVISION_MLP = ((r"\.mlp\.0\.", ".mlp.linear1."), (r"\.mlp\.3\.", ".mlp.linear2."))
BLOCKS = _by_stage(r"^layers\.{}\.blocks\.", "layers{}.0.blocks.", first=0)
MERGINGS = _by_stage(r"^layers\.{}\.downsample\.", "layers{}.0.downsample.", first=0)
LAYOUTS = (
    ImageLayout(
        "the authors",
        r"^(backbone\.)?layers\.0\.downsample\.",
        ((r"^backbone\.", ""), *BLOCKS, *MERGINGS, PATCHES, MLP),
    ),
    ImageLayout(  # merges patches at the start of the next stage
        "timm",
        r"^layers\.3\.downsample\.",
        (
            *BLOCKS,
            *_by_stage(r"^layers\.{}\.downsample\.", "layers{}.0.downsample.", first=1),
            PATCHES,
            MLP,
        ),
    ),
    ImageLayout(
        "torchvision",
        r"^features\.0\.0\.weight$",
        (
            (r"^features\.0\.0\.", f"{ENCODER}patch_embed.proj."),
            (r"^features\.0\.2\.", f"{ENCODER}patch_embed.norm."),
            *_by_stage(r"^features\.{}\.(?=\d)", "layers{}.0.blocks.", first=1, step=2),
            *_by_stage(r"^features\.{}\.(?=[rn])", "layers{}.0.downsample.", first=2, step=2),
            *TORCHVISION_MLP,
        ),
    ),
    ImageLayout(  # torchvision's names of videos
        "torchvision",
        r"^features\.0\.0\.norm1\.",
        (
            *_by_stage(r"^features\.{}\.(?=\d)", "layers{}.0.blocks.", first=0, step=2),
            *_by_stage(r"^features\.{}\.(?=[rn])", "layers{}.0.downsample.", first=1, step=2),
            PATCHES,
            *TORCHVISION_MLP,
        ),
    ),
    ImageLayout(
        "transformers",
        r"^(swin\.)?encoder\.layers\.0\.downsample\.",
        (
            (r"^(swin\.)?embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"^(swin\.)?embeddings\.norm\.", "patch_embed.norm."),
            (r"^(swin\.)?encoder\.", ""),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"\.attention\.([qkv])_proj\.", r".attn.\1."),  # names in memory since version 5
            (r"\.attention\.(self|relative_position_bias)\.", ".attn."),
            (r"\.attention\.(o_proj|output\.dense)\.", ".attn.proj."),
            (r"\.intermediate\.dense\.", ".mlp.linear1."),
            (r"\.output\.dense\.", ".mlp.linear2."),
            *BLOCKS,
            *MERGINGS,
            PATCHES,
            MLP,
        ),
    ),
)


def read_image_layout(path: str, file_tensors: State) -> tuple[str, dict[str, Tensor]] | None:
    """Renames the tensors of a Swin network whose patch merging takes 2 x 2 tokens.

    Args:
        path: the file, for a sentence.
        file_tensors: a file's, without the prefixes that any file may have.

    Returns:
        The layout's name in the report, and the tensors by SwinUNETR's names in the shapes of
        images or videos (`inflate.inflate` makes volumes of them); None for any other file.

    Raises:
        InputError: it is a Swin Transformer V2, or takes neither one nor three channels.
    """
    if not any(map(_merges_four, file_tensors, file_tensors.values())):
        return None
    layout = next(
        (one for one in LAYOUTS if any(re.search(one.mark, n) for n in file_tensors)), None
    )
    if layout is None:
        return None
    if any("logit_scale" in name for name in file_tensors):
        raise InputError(
            f"{path} is of a Swin Transformer V2, whose attention is another function; give "
            "weights of V1."
        )
    tensors = _join_attention({rename(n, layout.renames): v for n, v in file_tensors.items()})
    first = tensors.get(PATCH)
    kind = "Video-Swin" if first is not None and first.ndim == 5 else "Swin of images"
    channels = 3 if first is None else first.shape[1]
    if channels not in (1, 3):
        raise InputError(
            f"{path} takes {channels} channels; give weights of one channel (gray) or of three "
            "(red, green, blue)."
        )
    note = "" if channels == 3 else ", of one channel, whose normalisation is taken for none"
    return f"{kind}, named as by {layout.library}, inflated{note}", tensors


def _merges_four(name: str, value: Tensor) -> bool:
    """Tells whether a tensor is the reduction of 2 x 2 tokens, (2C, 4C); of a volume it has 8C."""
    is_reduction = bool(re.search(r"(downsample|features\.\d)\.reduction\.weight$", name))
    return is_reduction and value.ndim == 2 and value.shape[1] == 2 * value.shape[0]


def rename(name: str, renames: tuple[tuple[str, str], ...]) -> str:
    """Renames a tensor by patterns and their replacements, in order."""
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name


def _join_attention(tensors: State) -> dict[str, Tensor]:
    """Joins query, key and value of transformers to the one tensor of all others."""
    joined = {}
    for name, value in tensors.items():
        if match := re.fullmatch(r"(.*\.attn\.)(query|key|value|[qkv])(\.\w+)", name):
            before, which, after = match.groups()
            words = ("query", "key", "value") if len(which) > 1 else ("q", "k", "v")
            names = [f"{before}{part}{after}" for part in words]
            if which == words[0] and all(part in tensors for part in names):
                joined[f"{before}qkv{after}"] = torch.cat([tensors[part] for part in names])
        else:
            joined[name] = value
    return joined
