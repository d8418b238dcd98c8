# generated from common/weights/architecture.py, do not edit: `make copies`
"""Reads the architecture of a Swin UNETR from the shapes of its tensors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

PATCH = "swinViT.patch_embed.proj.weight"  # (feature size, channels, patch along x, y, z)
OUTPUT = "out.conv.conv.weight"  # (classes, feature size, 1, 1, 1)
TABLE = "blocks.0.attn.relative_position_bias_table"  # (relative positions in a window, heads)
INDEX = ".attn.relative_position_index"  # a constant, which follows from the window
FIRST_INDEX = f"swinViT.layers1.0.blocks.0{INDEX}"  # (tokens, tokens) rows of the table
QKV = "swinViT.layers1.0.blocks.0.attn.qkv.weight"
STAGES = range(1, 5)
SWITCHES = ("use_v2", "patch_norm", "qkv_bias")


@dataclass(frozen=True)
class Architecture:
    """Holds the architecture under the names of the config's knobs.

    A field is None where the tensors that show its value are missing.

    Args:
        window_size: tokens along an edge; along x, y, z of a window that is no cube.
        in_channels: channels of an image.
        out_channels: classes, the background included.
    """

    feature_size: int | None
    depths: tuple[int, ...] | None
    num_heads: tuple[int, ...] | None
    window_size: int | tuple[int, ...] | None
    use_v2: bool
    patch_norm: bool | None
    qkv_bias: bool | None
    in_channels: int | None
    out_channels: int | None


def read_architecture(tensors: Mapping[str, Tensor]) -> Architecture:
    """Reads the architecture from a state dict that has SwinUNETR's names."""
    patch, output = tensors.get(PATCH), tensors.get(OUTPUT)
    depths = tuple(_count_blocks(tensors, stage) for stage in STAGES)
    tables = [tensors.get(f"swinViT.layers{stage}.0.{TABLE}") for stage in STAGES]
    are_known = all(table is not None for table in tables)
    return Architecture(
        feature_size=None if patch is None else patch.shape[0],
        depths=depths if all(depths) else None,
        num_heads=tuple(table.shape[1] for table in tables) if are_known else None,
        window_size=_window(len(tables[0]), tensors.get(FIRST_INDEX)) if are_known else None,
        use_v2=any(re.match(r"swinViT\.layers\dc\.", name) for name in tensors),
        patch_norm=None if patch is None else PATCH.replace("proj", "norm") in tensors,
        qkv_bias=QKV.replace("weight", "bias") in tensors if QKV in tensors else None,
        in_channels=None if patch is None else patch.shape[1],
        out_channels=None if output is None else output.shape[0],
    )


def describe_architecture_mismatch(
    of_file: Architecture,
    of_network: Architecture,
    is_whole: bool,
    is_pretraining: bool = False,
) -> str:
    """Describes how a file's architecture differs from a network's; empty when both agree.

    The remedy closes the sentence:
    `has feature size 24, this network 48; give --network_def::feature_size 24, or other weights.`

    Args:
        of_file, of_network: the two architectures.
        is_whole: whether all tensors are to be loaded. Then the number of classes counts, and
            `--inflate_input` is no remedy.
        is_pretraining: whether the network is of a pre-training, whose config has the encoder as a
            node; also taken to be so without an output layer.
    """
    names = [field.name for field in fields(Architecture)]
    pairs = {name: (getattr(of_file, name), getattr(of_network, name)) for name in names}
    if not is_whole:
        del pairs["out_channels"]
    known = {name: pair for name, pair in pairs.items() if None not in pair}
    mismatches = {name: pair for name, pair in known.items() if pair[0] != pair[1]}
    words = " and ".join(_describe_pair(name, *pair) for name, pair in mismatches.items())
    if not mismatches:
        return ""
    has_encoder_node = is_pretraining or of_network.out_channels is None
    return f"{words}; {_suggest_remedy(mismatches, is_whole, has_encoder_node)}"


def describe(architecture: Architecture) -> str:
    """Lists the known fields: `feature size 48, depths 2,2,2,2, …`."""
    values = {field.name: getattr(architecture, field.name) for field in fields(Architecture)}
    return ", ".join(
        f"{_label(name)} {plain(value)}" for name, value in values.items() if value is not None
    )


def plain(value: object) -> str:
    """Formats a knob's value for a command line, without the brackets of a list."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _label(name: str) -> str:
    labels = {"num_heads": "heads", "in_channels": "input channels", "out_channels": "classes"}
    return labels.get(name, name if name in SWITCHES else name.replace("_", " "))


def _describe_pair(name: str, file_value: object, network_value: object) -> str:
    if name in SWITCHES:
        kinds = {True: f"with {name}", False: f"without {name}"}
        return f"is of a network {kinds[file_value]}, and this one is {kinds[network_value]}"
    return f"has {_label(name)} {plain(file_value)}, this network {plain(network_value)}"


def _suggest_remedy(mismatches: Mapping[str, tuple], is_whole: bool, has_encoder_node: bool) -> str:
    if "in_channels" in mismatches or "out_channels" in mismatches:
        if not is_whole and mismatches["in_channels"][0] == 1:
            return "--inflate_input True repeats the one channel, or give other weights."
        return "give the configuration of its training, or other weights."
    feature_size = mismatches.get("feature_size", (0,))[0]
    if feature_size % 12 and not has_encoder_node:
        return "SwinUNETR takes a feature size that is a multiple of 12 alone; give other weights."
    flags = " ".join(
        _format_flag(name, file_value, has_encoder_node)
        for name, (file_value, _) in mismatches.items()
    )
    return f"give {flags}, or other weights."


def _format_flag(name: str, value: object, has_encoder_node: bool) -> str:
    value = (value,) * 3 if name == "window_size" and isinstance(value, int) else value
    if has_encoder_node:  # MONAI's SwinTransformer calls the feature size so
        name = "encoder::" + name.replace("feature_size", "embed_dim")
    flag = f"--network_def::{name}"
    return f'{flag} "[{plain(value)}]"' if isinstance(value, tuple) else f"{flag} {value}"


def _count_blocks(tensors: Mapping[str, Tensor], stage: int) -> int:
    pattern = re.compile(rf"swinViT\.layers{stage}\.0\.blocks\.(\d+)\.")
    return len({match[1] for match in map(pattern.match, tensors) if match})


def _window(positions: int, index: Tensor | None) -> int | tuple[int, ...] | None:
    """Reads a window's tokens along x, y, z; one number of a cube.

    Args:
        positions: relative positions in the window, (2 x - 1)(2 y - 1)(2 z - 1).
        index: (tokens, tokens), the number of each pair's relative position; tells of a window
            that is no cube.
    """
    edge = round((positions ** (1 / 3) + 1) / 2)
    if (2 * edge - 1) ** 3 == positions and (index is None or len(index) == edge**3):
        return edge
    if index is None:
        return None
    behind = index[0, 0] - index[0]  # of each token: its place, counted in relative positions
    z = _count_steps(behind, 1)
    y = _count_steps(behind[::z], 2 * z - 1)
    window = (len(index) // (y * z), y, z)
    is_clear = 1 not in window  # (3, 1, 2) and (1, 3, 2) have the same constant
    return window if is_clear and math.prod(2 * n - 1 for n in window) == positions else None


def _count_steps(places: Tensor, step: int) -> int:
    """Counts the places at the start that lie one step behind each other."""
    is_next = places == step * torch.arange(len(places), device=places.device)
    return int(is_next.int().cumprod(0).sum())
