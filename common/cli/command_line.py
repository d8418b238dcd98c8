"""Reads the command line of `monai.bundle run`: its flags, its files, the config that they make."""

import re
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

# Arguments of `monai.bundle run` itself, and those that its `--tracking` reads.
RUN_ARGUMENTS = {
    *("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file"),
    *("tracking", "args_file", "tracking_uri", "experiment_name", "save_execute_config"),
}


class Layer(NamedTuple):
    """Holds one source of config values; a later layer replaces values of earlier layers.

    Attributes:
        source: the file's path, or "" for the command line.
        values: by key; a nested key is `a::b`.
        words: the values as they were typed, of the command line alone.
    """

    source: str
    values: dict[str, Any]
    words: dict[str, str]


def started_from_shell() -> bool:
    """Tells whether this process is `python -m monai.bundle run`."""
    return Path(sys.argv[0]).parts[-2:] == ("bundle", "__main__.py") and sys.argv[1:2] == ["run"]


def started_by_monai_label() -> bool:
    """Tells whether this process is a task that a MONAI Label server has started, as a training."""
    return Path(sys.argv[0]).parts[-4:] == ("monailabel", "interfaces", "utils", "app.py")


def typed_flags() -> dict[str, str]:
    """Reads the flags of the command line as they were typed, by fire's rules.

    `-` in a name becomes `_`, and `#` becomes `::`. A flag without a value is `True`, and `False`
    where its name begins with `no`.
    """
    words, arguments = {}, sys.argv[2:]
    for position, argument in enumerate(arguments):
        if not _is_flag(argument):
            continue
        name, has_value, value = argument.lstrip("-").partition("=")
        name = name.replace("-", "_").replace("#", "::")
        if not has_value:
            value = "".join(arguments[position + 1 : position + 2])
            if not value or _is_flag(value):
                value = "False" if name.startswith("no") else "True"
                name = name.removeprefix("no")
        words[name] = value
    return words


def _is_flag(argument: str) -> bool:
    return re.match("--|-[a-zA-Z]", argument) is not None  # -1 is a number


def _read_value(word: str) -> Any:
    from fire.parser import DefaultParseValue  # a server has no command line and needs no fire

    return DefaultParseValue(word)


def flags() -> dict[str, Any]:
    """Reads the flags of the command line and of its `--args_file`, values as fire reads them."""
    values = {name: _read_value(word) for name, word in typed_flags().items()}
    if "args_file" not in values:
        return values
    from monai.bundle import ConfigParser  # takes seconds, and the other commands do without

    in_file = ConfigParser.load_config_file(values["args_file"])
    # MONAI ignores a flag that is None
    return in_file | {name: value for name, value in values.items() if value is not None}


def layers() -> list[Layer]:
    """Lists the sources of config values: the config files in order, the args file, the flags."""
    from monai.bundle import ConfigParser
    from monai.utils import ensure_tuple

    words, values = typed_flags(), flags()
    files = values.get("config_file") or []
    if isinstance(files, str) and not Path(files).is_file():
        files = files.split(",")
    sources = {str(file): ConfigParser.load_config_file(file) for file in ensure_tuple(files)}
    in_file = {name: value for name, value in values.items() if name not in words}
    typed = {name: _read_value(word) for name, word in words.items()}
    return [
        *(Layer(file, content, {}) for file, content in sources.items()),
        Layer(str(values.get("args_file", "the args file")), _without_run_arguments(in_file), {}),
        Layer("", _without_run_arguments(typed), words),
    ]


def _without_run_arguments(values: dict) -> dict:
    return {name: value for name, value in values.items() if name not in RUN_ARGUMENTS}


def merge(config: dict, values: dict) -> None:
    """Sets values in a config, in place, as `monai.bundle run` does; `+key` adds to a list.

    Args:
        config: to change.
        values: by key; a nested key is `a::b`.
    """
    from monai.bundle import ConfigParser
    from monai.bundle.utils import merge_kv

    parser = ConfigParser(config)
    for name, value in values.items():
        if not name.startswith("_meta_"):  # of the metadata, which is no config
            merge_kv(parser, name, deepcopy(value))


def merged_config(sources: list[Layer]) -> dict:
    """Merges the config files of the running command line in order.

    Args:
        sources: see `layers`.
    """
    config: dict = {}
    for layer in sources[:-2]:
        merge(config, layer.values)
    return config


def effective_config() -> dict:
    """Merges config files, args file and flags: the configuration that the running command uses.

    Returns an empty dict when the bundle is used from Python.
    """
    config: dict = {}
    for layer in layers() if started_from_shell() else []:
        # MONAI ignores None on the command line
        merge(config, {k: v for k, v in layer.values.items() if layer.source or v is not None})
    return config
