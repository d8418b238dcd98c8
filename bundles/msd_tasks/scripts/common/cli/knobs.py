# generated from common/cli/knobs.py, do not edit: `make copies`
"""Checks the values of a config's knobs against `knobs.json`: their kind, range and unit.

Rule: a value is of its knob's kind, or the command is refused before any work; no value is
converted. An expression (`$…`, `@…`, `%…`) is left to what uses its result.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, suggest
from .command_line import Layer, merge
from .kinds import describe, is_valid, kind_of_literal, show

# Keys that MONAI runs or reads itself
READ_BY_MONAI = {"imports", "initialize", "run", "finalize", "handlers_id", "configs"}


@cache
def schema() -> dict:
    """Returns the content of `knobs.json`, a JSON schema for each knob by its name."""
    return json.loads(Path(__file__).with_name("knobs.json").read_text())


def check_values(layers: list[Layer], known: set[str]) -> None:
    """Checks the values of each layer against their knobs, or the literals that they replace.

    Args:
        layers: config files, args file and flags, in order.
        known: top keys of the bundle's own configs, and those that MONAI was told to run.

    Raises:
        InputError: a value is of another kind or out of range, or nothing reads a key; see
            `check_multiples`.
    """
    config: dict = {}
    text = json.dumps([layer.values for layer in layers], default=str)
    known = known | READ_BY_MONAI | {*schema()["properties"]} | {*re.findall(r"[@%](\w+)", text)}
    for layer in layers:
        for key, value in layer.values.items():
            name = key.lstrip("+").replace("#", "::")
            root = name.partition("::")[0]
            if root.startswith("_"):  # MONAI's own, and remarks
                continue
            if root not in known and root not in config and not isinstance(value, dict):
                remedy = suggest(root, known) or "remove it."
                raise InputError(f"{layer.source}: nothing reads the key {root}; {remedy}")
            changed = {root: deepcopy(config.get(root))} if root in config else {}
            merge(changed, {key: value})
            _check_value(layer, name, value, changed[root], node_at(config, name))
        merge(config, layer.values)
    for low, high in schema()["increasing"]:
        values = config.get(low), config.get(high)
        if all(isinstance(value, (int, float)) for value in values) and values[0] >= values[1]:
            raise InputError(f"{low} {values[0]} is not below {high} {values[1]}; mend one.")
    check_multiples(config)


def check_multiples(config: Mapping[str, Any]) -> None:
    """Checks that a training ends with an epoch, behind which its validation comes.

    A training shorter than an epoch is one epoch. Any other is of whole epochs: a last one that is
    not needed to its end would go on behind the end of the learning rate's schedule.

    Args:
        config: merged.

    Raises:
        InputError: a count is no multiple; names the nearest.
    """
    for name, of_epoch in schema()["multiples"]:
        count, length = config.get(name), config.get(of_epoch)
        if not (isinstance(count, int) and isinstance(length, int)) or count <= length:
            continue
        if count % length:
            below = count // length * length
            raise InputError(
                f"{name} {count} is no multiple of {of_epoch} {length}, and whole epochs alone are "
                f"trained; give --{name} {below} or {below + length}, or an --{of_epoch} that "
                f"divides {count}."
            )


def node_at(config: Any, name: str) -> Any:
    """Returns the node of a config at `a::b::0`; None where there is none."""
    for part in name.split("::"):
        if isinstance(config, list) and part.isdigit() and int(part) < len(config):
            config = config[int(part)]
        elif isinstance(config, dict):
            config = config.get(part)
        else:
            return None
    return config


def _check_value(layer: Layer, name: str, value: Any, root_value: Any, replaced: Any) -> None:
    """Checks one value.

    Args:
        layer: where the value stands.
        name: its key, such as `train::trainer::max_epochs`.
        value: the new value.
        root_value: the new value of the top key.
        replaced: the value that the key had before; None where the key had none.
    """
    typed = layer.words.get(name)
    origin = f"--{name} {typed}" if typed is not None else f"{layer.source}: {name}"
    if typed is not None and value is None and replaced is not None:
        raise InputError(
            f"{origin} has no effect, because MONAI ignores None on the command line; give "
            f"--{name} '$None'."
        )
    knobs, root = schema()["properties"], name.partition("::")[0]
    reference = re.fullmatch(r"@(\w+)", str(replaced))
    if name in knobs and name != root:  # a node's argument with an entry of its own
        subject, kind, value_of_kind = name, knobs[name], value
    elif root in knobs:
        subject, kind, value_of_kind = root, knobs[root], root_value
    elif reference and reference[1] in knobs:
        subject, kind, value_of_kind = name, knobs[reference[1]], value
    else:
        subject, kind, value_of_kind = name, kind_of_literal(replaced), value
    if is_valid(value_of_kind, kind):
        return
    if typed is not None and not isinstance(value, str) and is_valid(typed, kind):
        raise InputError(
            f"{origin} is read as {show(value)}; to keep it as text, quote it twice: "
            f"--{name} \"'{typed}'\"."
        )
    meant = {"false": False, "no": False, "off": False, "true": True, "yes": True, "on": True}
    word = meant.get(str(value).lower())
    is_meant = typed is not None and word is not None and is_valid(word, kind)
    remedy = f", as --{name} {word}" if is_meant else ""
    raise InputError(f"{origin} is {show(value)}, and {subject} takes {describe(kind)}{remedy}.")
