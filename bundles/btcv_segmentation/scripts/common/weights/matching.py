# generated from common/weights/matching.py, do not edit: `make copies`
"""Matches the tensors of a file with those of a network, and explains the tensors left out."""

import re
from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from ..network.encoder import ENCODER
from .architecture import INDEX, OUTPUT

State = Mapping[str, Tensor]

PARTS = (  # of a network, by its tensors' names; tensors of none of these are a head's
    ("encoder", re.compile(r"swinViT\.")),
    ("decoder", re.compile(r"(encoder\d+|decoder\d+|out)\.")),
)
LAST_LAYER = "out."  # of a segmentation; its channels are the labels
KNOWN = (  # owners of tensors for which many networks have no place
    (
        re.compile(r"(rotation|contrastive|reconstruction)_|conv(Trans3d)?\."),
        "pre-training's heads",
    ),
    (re.compile(r"position_head\."), "the position head"),
    (
        re.compile(r"organ_embedding|(controller|GAP|precls_conv|text_to_vision)\."),
        "SuPreM's heads",
    ),
    (re.compile(r"((swinViT|swin\.embeddings)\.)?mask_token"), "a mask token"),
    (
        re.compile(r"swinViT\.norm\.|(swin\.layer)?norm\.|layernorm\."),
        "a last norm that SwinUNETR does not have",
    ),
    (re.compile(r"(cls_)?head\.|classifier\."), "another task's head"),
    (re.compile(r"norm\d\."), "the stages' norms, which SwinUNETR does not learn"),
)


def part(name: str) -> str:
    """Names the part of a network that a tensor belongs to: encoder, decoder or heads."""
    return next((kind for kind, pattern in PARTS if pattern.match(name)), "heads")


def with_positions(file_tensors: State, network_tensors: State) -> dict[str, Tensor]:
    """Adds the network's position indices to a file's tensors where the file has none.

    These indices are constants that follow from the window; some programs do not save them.
    """
    indices = {name: value for name, value in network_tensors.items() if name.endswith(INDEX)}
    return indices | dict(file_tensors)


def select_fitting(file_tensors: State, network_tensors: State) -> dict[str, Tensor]:
    """Selects the tensors of a file that the network has by the same name in the same shape."""
    shapes = {name: value.shape for name, value in network_tensors.items()}
    return {name: value for name, value in file_tensors.items() if value.shape == shapes.get(name)}


def learnt_names(state: State) -> list[str]:
    """Lists the names of the tensors that training changes; position indices are constants."""
    return [name for name in state if not name.endswith(INDEX)]


def encoder_of(state: State) -> dict[str, Tensor]:
    """Selects the encoder, without a mask token and a last norm, which MONAI's has not."""
    return {
        name: value
        for name, value in state.items()
        if name.startswith(ENCODER) and not describe_extra(name, network_tensors={})
    }


def describe_extra(name: str, network_tensors: State) -> str:
    """Names the owner of a tensor for which the network has no place; empty if not known."""
    for pattern, owner in KNOWN:
        if pattern.match(name) and not any(map(pattern.match, network_tensors)):
            return owner
    return ""


def describe_tensor_mismatch(tensors: State, expected: State) -> str:
    """Describes how two state dicts differ; empty when both agree."""
    missing = [name for name in expected if name not in tensors]
    extra = [name for name in tensors if name not in expected]
    unknown = [name for name in extra if not describe_extra(name, expected)]
    shared = [name for name in expected if name in tensors]
    reshaped = [name for name in shared if tensors[name].shape != expected[name].shape]
    parts = [
        f"{len(names)} of {len(expected)} tensors {problem} (such as {names[0]})"
        for names, problem in [
            (missing, "missing"),
            (unknown, "unknown"),
            (reshaped, "of another shape"),
            (moved_positions(tensors, expected), "with the positions in a window in another order"),
        ]
        if names
    ]
    return ", ".join(parts)


def moved_positions(tensors: State, expected: State) -> list[str]:
    """Lists position indices of windows with as many tokens as the network's on other axes."""
    return [
        name
        for name, value in expected.items()
        if name.endswith(INDEX) and name in tensors and tensors[name].shape == value.shape
        if not tensors[name].equal(value.to(tensors[name].device))
    ]


def describe_counts(loaded: State, network_tensors: State) -> str:
    """Counts the loaded tensors by part: `encoder 126 of 126 tensors, decoder 31 of 33`."""
    totals, counts = Counter(map(part, network_tensors)), Counter(map(part, loaded))
    words = [f"{name} {counts[name]} of {totals[name]}" for name in totals if counts[name]]
    return ", ".join([f"{words[0]} tensors", *words[1:]]) if words else "no tensor"


def parts_from_scratch(loaded: State, network_tensors: State, lacking: str = "") -> str:
    """Names the parts of the network for which the file has no tensor.

    Args:
        loaded, network_tensors: by the network's names.
        lacking: how the names of tensors begin that no such file has; see `layouts.Weights`.
    """
    parts = sorted(set(map(part, network_tensors)) - set(map(part, loaded)))
    absent = [name for name in network_tensors if lacking and name.startswith(lacking)]
    if absent and not any(name in loaded for name in absent):
        parts.insert(0, f"{lacking.rstrip('.')} ({len(absent)} tensors)")
    return " and ".join(parts)


def describe_left_out(file_tensors: State, network_tensors: State) -> str:
    """Counts the tensors of a file that are left out, by reason; empty when all fit."""
    fitting = select_fitting(file_tensors, network_tensors)
    names_by_reason: dict[str, list[str]] = {}
    for name in file_tensors:
        if name not in fitting:
            reason = _describe_reason(name, file_tensors, network_tensors)
            names_by_reason.setdefault(reason, []).append(name)
    groups = names_by_reason.items()
    return ", ".join(f"{len(names)} {reason.format(names[0])}" for reason, names in groups)


def _describe_reason(name: str, file_tensors: State, network_tensors: State) -> str:
    owner = describe_extra(name, network_tensors)
    if owner:
        return f"of {owner}"
    if name in network_tensors and name.startswith(LAST_LAYER):
        classes, here = _count_classes(file_tensors), _count_classes(network_tensors)
        return f"of the output layer (classes: {classes}, here {here})"
    if name in network_tensors:
        return "of another shape (such as {})"
    words = "unknown" if part(name) == "heads" else f"of the {part(name)} that have no place here"
    return words + " (such as {})"


def _count_classes(state: State) -> int | str:
    return len(state[OUTPUT]) if OUTPUT in state else "other"
