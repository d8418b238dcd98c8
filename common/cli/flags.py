"""Checks the flags of `monai.bundle run`: a mistake is told in one sentence with its remedy."""

import sys
from collections.abc import Iterator
from pathlib import Path

from fire.parser import DefaultParseValue

from .. import BUNDLE
from ..errors import InputError, show_sentence, suggest

# Arguments of `monai.bundle run` itself, and those that its `--tracking` reads.
RUN_ARGUMENTS = {
    *("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file"),
    *("tracking", "args_file", "tracking_uri", "experiment_name", "save_execute_config"),
}


# Keys of configs before version 0.2 whose new place has another name
RENAMED = {
    "feature_size": "network_def::encoder::embed_dim",
    "division": "splitting",
    "cases": "labelled_data",
}
# and those that no config has on top any more
MOVED = (
    *("feature_size", "depths", "num_heads", "window_size", "use_v2", "use_checkpoint", "task"),
    *("fast_attention", "channels_last", "compile", "matmul_precision", "scores_gb"),
    *("rank", "world_size", "is_main"),
)


def check_flags(bundle_root: str = ".") -> None:
    """Refuses flags that no config declares, and shows an `InputError` as its sentence alone.

    First item of every `run` list, because `monai.bundle run` takes any unknown flag in silence.
    Used from Python instead of `python -m monai.bundle run`, it only looks for another bundle's
    `scripts`.

    Args:
        bundle_root: the folder of the bundle whose config runs.

    Raises:
        InputError: the package `scripts` that was imported belongs to another bundle.
        InputError: a flag is not declared, or a config file has a key of before; the sentence names
            the one in its place or the closest.
    """
    expected = Path(bundle_root, "scripts").resolve()
    if expected.is_dir() and expected != BUNDLE / "scripts":
        raise InputError(
            f"`scripts` was imported from {BUNDLE} before, and this config needs that of "
            f"{expected.parent}; run each bundle in a Python process of its own."
        )
    if not started_from_shell():
        return
    sys.excepthook = show_sentence
    config = merged_config()
    for name in config:
        if name not in (*RENAMED, *MOVED):
            continue
        rest = {key: node for key, node in config.items() if key != name}
        place = "its knobs by themselves" if name == "task" else place_of(name, rest)
        if place:
            raise InputError(f"The config key {name} is no more; set {place} in its place.")
    for flag in flags():
        if flag not in RUN_ARGUMENTS and not is_declared(flag, config):
            place = place_of(flag, config)
            known = [f"--{key}" for key in config if not key.startswith("_")]
            remedy = f"did you mean --{place}?" if place else suggest(f"--{flag}", known)
            remedy = remedy or "its README lists them."
            raise InputError(f"Unknown flag --{flag}: no config file declares it; {remedy}")


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


def flags() -> dict:
    """Lists the flags of the command line, `-` as `_`, `#` as `::`, values as fire reads them."""
    found, arguments = {}, sys.argv[2:]
    for position, argument in enumerate(arguments):
        if not argument.startswith("--"):
            continue
        name, has_value, value = argument[2:].partition("=")
        if not has_value:
            following = arguments[position + 1 : position + 2]
            value = following[0] if following and not following[0].startswith("--") else "True"
        found[name.replace("-", "_").replace("#", "::")] = DefaultParseValue(value)
    return found


def merged_config() -> dict:
    """Merges the config files of the running command line in order, as `monai.bundle run` does.

    Returns an empty dict when the bundle is used from Python.
    """
    if not started_from_shell():
        return {}
    from monai.bundle import ConfigParser  # takes seconds, and the other commands do without

    given = flags()
    if "args_file" in given:
        given = {**ConfigParser.load_config_file(given["args_file"]), **given}
    return ConfigParser.load_config_files(given.get("config_file", []))


def effective_config() -> dict:
    """Sets the flags in `merged_config`: the configuration that the running command uses.

    Returns an empty dict when the bundle is used from Python.
    """
    if not started_from_shell():
        return {}
    from monai.bundle import ConfigParser

    parser = ConfigParser(merged_config())
    parser.update({name: v for name, v in flags().items() if name not in RUN_ARGUMENTS})
    return parser.get()


def started_from_shell() -> bool:
    """Tells whether this process is `python -m monai.bundle run`."""
    return Path(sys.argv[0]).parts[-2:] == ("bundle", "__main__.py") and sys.argv[1:2] == ["run"]


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
