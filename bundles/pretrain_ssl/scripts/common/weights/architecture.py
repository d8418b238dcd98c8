# generated from common/weights/architecture.py, do not edit: `make copies`
"""The architecture of a Swin UNETR, read from the shapes of its tensors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

PATCH = "swinViT.patch_embed.proj.weight"  # (feature size, channels, patch along x, y, z)
OUTPUT = "out.conv.conv.weight"  # (classes, feature size, 1, 1, 1)
TABLE = "blocks.0.attn.relative_position_bias_table"  # (relative positions in a window, heads)
INDEX = ".attn.relative_position_index"  # a constant, which follows from the window
STAGES = range(1, 5)


@dataclass(frozen=True)
class Architecture:
    """What shapes tell, by the names of the knobs; None where the tensors that tell it are missing.

    Args:
        window_size: tokens along an edge; None of a window that is no cube.
        in_channels: of images.
        out_channels: classes.
    """

    feature_size: int | None
    depths: tuple[int, ...] | None
    num_heads: tuple[int, ...] | None
    window_size: int | None
    use_v2: bool
    in_channels: int | None
    out_channels: int | None


def architecture(tensors: Mapping[str, Tensor]) -> Architecture:
    """The architecture of a state dict by SwinUNETR's names."""
    patch, output = tensors.get(PATCH), tensors.get(OUTPUT)
    depths = tuple(_depth(tensors, stage) for stage in STAGES)
    tables = [tensors.get(f"swinViT.layers{stage}.0.{TABLE}") for stage in STAGES]
    are_known = all(table is not None for table in tables)
    return Architecture(
        feature_size=None if patch is None else patch.shape[0],
        depths=depths if all(depths) else None,
        num_heads=tuple(table.shape[1] for table in tables) if are_known else None,
        window_size=_edge(len(tables[0])) if are_known else None,
        use_v2=any(re.match(r"swinViT\.layers\dc\.", name) for name in tensors),
        in_channels=None if patch is None else patch.shape[1],
        out_channels=None if output is None else output.shape[0],
    )


def describe_mismatch(theirs: Architecture, ours: Architecture, is_whole: bool) -> str:
    """How weights differ from a network, and the remedy; empty when they agree.

    `has feature size 24, this network 48; give --feature_size 24, or other weights.`

    Args:
        is_whole: whether all is to be loaded: then classes count, and no channel is repeated.
    """
    names = [field.name for field in fields(Architecture)]
    told = {name: (getattr(theirs, name), getattr(ours, name)) for name in names}
    if not is_whole:
        del told["out_channels"]
    other = {name: pair for name, pair in told.items() if None not in pair and pair[0] != pair[1]}
    words = " and ".join(_words(name, *pair) for name, pair in other.items())
    return f"{words}; {_remedy(other, is_whole)}" if other else ""


def describe(found: Architecture) -> str:
    """`feature size 48, depths 2,2,2,2, …`, with what is not known left out."""
    told = {field.name: getattr(found, field.name) for field in fields(Architecture)}
    return ", ".join(
        f"{_label(name)} {plain(value)}" for name, value in told.items() if value is not None
    )


def plain(value: object) -> str:
    """A knob's value as a command line takes it, but for the brackets of a list."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _label(name: str) -> str:
    labels = {"num_heads": "heads", "in_channels": "input channels", "out_channels": "classes"}
    return labels.get(name, name if name == "use_v2" else name.replace("_", " "))


def _words(name: str, theirs: object, ours: object) -> str:
    if name == "use_v2":
        kinds = {True: "with use_v2", False: "without use_v2"}
        return f"is of a network {kinds[theirs]}, and this one is {kinds[ours]}"
    return f"has {_label(name)} {plain(theirs)}, this network {plain(ours)}"


def _remedy(other: Mapping[str, tuple], is_whole: bool) -> str:
    if "in_channels" in other or "out_channels" in other:
        if not is_whole and other["in_channels"][0] == 1:
            return "--inflate_input True repeats the one channel, or give other weights."
        return "give the configuration of its training, or other weights."
    flags = " ".join(_flag(name, theirs) for name, (theirs, _) in other.items())
    return f"give {flags}, or other weights."


def _flag(name: str, value: object) -> str:
    value = (value,) * 3 if name == "window_size" else value
    flag = f"--network_def::{name}"
    return f'{flag} "[{plain(value)}]"' if isinstance(value, tuple) else f"{flag} {value}"


def _depth(tensors: Mapping[str, Tensor], stage: int) -> int:
    pattern = re.compile(rf"swinViT\.layers{stage}\.0\.blocks\.(\d+)\.")
    return len({match[1] for match in map(pattern.match, tensors) if match})


def _edge(positions: int) -> int | None:
    """Edge of a cube in which tokens have so many positions relative to each other."""
    edge = round((positions ** (1 / 3) + 1) / 2)
    return edge if (2 * edge - 1) ** 3 == positions else None
