# generated from common/weights/matching.py, do not edit: `make copies`
"""Which tensors of a network a file gives, and why others of the file are left out."""

import re
from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from ..network.encoder import ENCODER
from .architecture import INDEX, OUTPUT

State = Mapping[str, Tensor]

PARTS = (  # of a network, by its tensors' names; what is in none of these is a head
    ("encoder", re.compile(r"swinViT\.")),
    ("decoder", re.compile(r"(encoder\d+|decoder\d+|out)\.")),
)
KNOWN = (  # what files have beside a network that has nothing of the kind
    (
        re.compile(r"(rotation|contrastive|reconstruction)_|conv(Trans3d)?\."),
        "pre-training's heads",
    ),
    (
        re.compile(r"organ_embedding|(controller|GAP|precls_conv|text_to_vision)\."),
        "SuPreM's heads",
    ),
    (re.compile(r"swinViT\.mask_token"), "a mask token"),
    (re.compile(r"swinViT\.norm\."), "a last norm that SwinUNETR does not have"),
    (re.compile(r"norm\d\."), "the stages' norms, which SwinUNETR does not learn"),
)


def part(name: str) -> str:
    """The part of a network that a tensor belongs to: encoder, decoder or heads."""
    return next((kind for kind, pattern in PARTS if pattern.match(name)), "heads")


def with_positions(given: State, own: State) -> dict[str, Tensor]:
    """The file's tensors, and the network's own position indices where the file has none.

    They are constants that follow from the window; some programs do not save them.
    """
    return {name: own[name] for name in own if name.endswith(INDEX)} | dict(given)


def fitting(given: State, own: State) -> dict[str, Tensor]:
    """Tensors of a file that the network has by that name in that shape."""
    return {n: value for n, value in given.items() if n in own and value.shape == own[n].shape}


def learnt(state: State) -> list[str]:
    """Names of tensors that are no constants."""
    return [name for name in state if not name.endswith(INDEX)]


def encoder_of(state: State) -> dict[str, Tensor]:
    """The encoder without a last norm, which MONAI's network does not have, and a mask token."""
    return {
        name: value
        for name, value in state.items()
        if name.startswith(ENCODER) and not extra(name, own={})
    }


def extra(name: str, own: State) -> str:
    """What a tensor of a file belongs to that the network has nothing of; empty if not known."""
    for pattern, what in KNOWN:
        if pattern.match(name) and not any(map(pattern.match, own)):
            return what
    return ""


def describe_mismatch(given: State, wanted: State) -> str:
    """How two state dicts differ, in words; empty when they agree."""
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted and not extra(name, wanted)]
    both = [name for name in wanted if name in given]
    other = [name for name in both if given[name].shape != wanted[name].shape]
    parts = [
        f"{len(names)} of {len(wanted)} tensors {what} (such as {names[0]})"
        for names, what in [
            (missing, "missing"),
            (unknown, "unknown"),
            (other, "of another shape"),
            (moved(given, wanted), "with the positions in a window in another order"),
        ]
        if names
    ]
    return ", ".join(parts)


def moved(given: State, wanted: State) -> list[str]:
    """Position indices of windows that have as many tokens as the network's on other axes."""
    return [
        name
        for name, value in wanted.items()
        if name.endswith(INDEX) and name in given and given[name].shape == value.shape
        if not given[name].equal(value.to(given[name].device))
    ]


def counts(taken: State, own: State) -> str:
    """`encoder 126 of 126 tensors, decoder 31 of 33`: of the parts that the file has."""
    whole, came = Counter(map(part, own)), Counter(map(part, taken))
    told = [f"{name} {came[name]} of {whole[name]}" for name in whole if came[name]]
    return ", ".join([f"{told[0]} tensors", *told[1:]]) if told else "no tensor"


def from_scratch(taken: State, own: State) -> str:
    """Parts of the network of which the file has nothing."""
    return " and ".join(sorted(set(map(part, own)) - set(map(part, taken))))


def left_out(given: State, own: State) -> str:
    """How many tensors of a file are not taken, and why; empty when all are."""
    taken = fitting(given, own)
    found: dict[str, list[str]] = {}
    for name in given:
        if name not in taken:
            found.setdefault(_reason(name, given, own), []).append(name)
    return ", ".join(f"{len(names)} {why.format(names[0])}" for why, names in found.items())


def _reason(name: str, given: State, own: State) -> str:
    known = extra(name, own)
    if known:
        return f"of {known}"
    if name in own and name.startswith("out."):
        return f"of the output layer (classes: {_classes(given)}, here {_classes(own)})"
    if name in own:
        return "of another shape (such as {})"
    what = "unknown" if part(name) == "heads" else f"of the {part(name)} that have no place here"
    return what + " (such as {})"


def _classes(state: State) -> int | str:
    return len(state[OUTPUT]) if OUTPUT in state else "other"
