# generated from common/cli/flags.py, do not edit: `make copies`
"""Checks the flags of `monai.bundle run`: reports a mistake in one sentence with its remedy."""

import json
import logging
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from .. import BUNDLE
from ..errors import InputError, show_errors_as_sentences, suggest
from .command_line import (
    Layer,
    flags,
    layers,
    merged_config,
    started_by_monai_label,
    started_from_shell,
)
from .config_order import check_order
from .knobs import READ_BY_MONAI, check_values
from .objective_files import check_objective

logger = logging.getLogger(__name__)

# Keys of configs before version 0.2 whose new place has another name
RENAMED = {
    "feature_size": "network_def::encoder::embed_dim",
    "division": "splitting",
    "cases": "labelled_data",
    "cache_rate": "cache_gb",
    "rotation_tokens": "network_def::rotation_head::tokens",
    "rotation_projection": "network_def::rotation_head::projection_kind",
    "contrastive_tokens": "network_def::contrastive_head::tokens",
    "contrastive_projection": "network_def::contrastive_head::projection_kind",
    "decoder": "network_def::reconstruction_head::decoder",
}
# and those that no config has on top any more
MOVED = (
    *("feature_size", "depths", "num_heads", "window_size", "use_v2", "use_checkpoint", "task"),
    *("fast_attention", "channels_last", "compile", "matmul_precision", "scores_gb"),
    *("rank", "world_size", "is_main"),
)


def check_flags(bundle_root: str = ".") -> None:
    """Checks flags and config files before any work; shows an `InputError` as its sentence alone.

    First item of every `run` list, because `monai.bundle run` takes any flag and any value in
    silence. Used from Python instead of `python -m monai.bundle run`, it only looks for another
    bundle's `scripts`. A training that MONAI Label started ends in the sentence too, because the
    server hands the last 20 lines to its client.

    A flag that is declared but read by no part of this command gets one line in the log.

    Args:
        bundle_root: the folder of the bundle whose config runs.

    Raises:
        InputError: the package `scripts` that was imported belongs to another bundle; a flag is not
            declared; a config file has a key of an earlier version, or one that nothing reads; a
            value is not of its knob's kind (see `knobs.check_values`); config files stand in a
            wrong order or do not go together (see `config_order` and `objective_files`).
    """
    expected = Path(bundle_root, "scripts").resolve()
    if expected.is_dir() and expected != BUNDLE / "scripts":
        raise InputError(
            f"`scripts` was imported from {BUNDLE} before, and this config needs that of "
            f"{expected.parent}; run each bundle in a Python process of its own."
        )
    if started_from_shell() or started_by_monai_label():
        show_errors_as_sentences()
    if not started_from_shell():
        return
    sources = layers()
    check_order(sources[:-2])
    check_objective(sources, bundle_root)
    config = merged_config(sources)
    _check_names(sources, config)
    own = [
        json.loads(path.read_text()) for path in sorted(Path(bundle_root).glob("configs/*.json"))
    ]
    given = flags()
    told = {str(given[key]) for key in ("run_id", "init_id", "final_id") if key in given}
    check_values(sources, {*chain(*own), *told})
    _warn_of_unread(sources, config, told)


def _check_names(sources: list[Layer], config: dict) -> None:
    """Raises an `InputError` for a key of an earlier version, or a flag that no config declares."""
    for name in config:
        is_renamed = name in RENAMED and is_declared(RENAMED[name], config)
        if name not in MOVED and not is_renamed:
            continue
        rest = {key: node for key, node in config.items() if key != name}
        place = "its knobs by themselves" if name == "task" else place_of(name, rest)
        if place:
            raise InputError(f"The config key {name} is no more; set {place} in its place.")
    for layer in sources[-2:]:
        for flag in layer.values:
            if is_declared(flag, config):
                continue
            place = place_of(flag, config)
            known = [f"--{key}" for key in config if not key.startswith("_")]
            remedy = f"did you mean --{place}?" if place else suggest(f"--{flag}", known)
            where = f" in {layer.source}" if layer.source else ""
            raise InputError(
                f"Unknown flag --{flag}{where}: no config file declares it; "
                f"{remedy or 'its README lists them.'}"
            )


def _warn_of_unread(sources: list[Layer], config: dict, told: set[str]) -> None:
    """Warns of flags that no part of this command reads, such as those of another objective.

    Such a flag is no mistake: a user may give all commands the same flags.
    """
    text = json.dumps([config, *(layer.values for layer in sources[-2:])], default=str)
    read = {*re.findall(r"[@%](\w+)", text), *READ_BY_MONAI, *told, "_meta_"}
    given = [re.split("::|#", name)[0] for layer in sources[-2:] for name in layer.values]
    unread = [f"--{name}" for name in dict.fromkeys(given) if name not in read]
    if unread:
        logger.warning(f"without effect, as no part of this command reads it: {', '.join(unread)}")


def place_of(name: str, config: dict) -> str | None:
    """Finds where a config has the key that a flag or a key of before meant.

    Args:
        name: such as `feature_size`, or `task::spacing_mm`.
        config: to search.

    Returns:
        Such as `network_def::feature_size`; None where nothing has that name.
    """
    last = name.rpartition("::")[2]
    places = [path for path in _paths(config) if path.rpartition("::")[2] == last]
    if name in RENAMED and is_declared(RENAMED[name], config):
        places.append(RENAMED[name])
    return min(places, key=len, default=None)


def _paths(config: dict, prefix: str = "") -> Iterator[str]:
    for key, node in config.items():
        yield prefix + key
        if isinstance(node, dict):
            yield from _paths(node, f"{prefix}{key}::")


def is_declared(flag: str, config: dict) -> bool:
    """Tells whether a config has `a::b::c`, or has a component that may take it as an argument."""
    node, *names = [config, *flag.split("::")]
    if names[0] == "_meta_":
        return True
    for position, name in enumerate(names):
        if isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, dict) and name in node:
            node = node[name]
        else:  # a misspelt argument of a component is refused by the component's own signature
            return isinstance(node, dict) and "_target_" in node and position == len(names) - 1
    return True
