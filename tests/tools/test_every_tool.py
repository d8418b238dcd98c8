"""The tools' one scheme, see tools/__init__.py."""

import functools
import inspect
import re
from importlib import import_module
from typing import get_args

import pytest
from bundle_runs import python
from helpers import ROOT

from common.cli.commands import run

APPLICATIONS = {"deploy_app"}  # MONAI Deploy's SDK reads its command line
FOLDERS = {path.parent.name for path in (ROOT / "tools").glob("*/__main__.py")}
NAMES = sorted(FOLDERS - APPLICATIONS)
COMMANDS = [
    (tool, name) for tool in NAMES for name in import_module(f"tools.{tool}.commands").COMMANDS
]


def test_every_folder_is_a_tool():
    folders = {path.name for path in (ROOT / "tools").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == FOLDERS and len(NAMES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_starts_as_the_others_do(name):
    starts = [(ROOT / "tools" / each / "__main__.py").read_text() for each in (name, NAMES[0])]
    assert re.sub(rf"(?<=tools[./]){name}\b", NAMES[0], starts[0]) == starts[1]


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_documented_and_typed(name):
    for command in import_module(f"tools.{name}.commands").COMMANDS.values():
        assert inspect.getdoc(command)
        for parameter in inspect.signature(command).parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def needed_words(command) -> list[str]:
    """What a command cannot do without: a word for each parameter that has no default."""
    words = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            by_name = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            choices = get_args(parameter.annotation)
            value = choices[0] if choices and isinstance(choices[0], str) else "nowhere"
            words += [f"--{parameter.name}", value] if by_name else [value]
    return words


@pytest.mark.parametrize(("tool", "name"), COMMANDS)
def test_a_misspelt_option_is_refused_before_any_work(tool, name):
    command = import_module(f"tools.{tool}.commands").COMMANDS[name]
    calls = []
    stand_in = functools.wraps(command)(lambda *_, **options: calls.append(options))
    words = [name, *needed_words(command)]
    with pytest.raises(SystemExit, match="^error: --no_such_option is unknown"):
        run({name: stand_in}, arguments=[*words, "--no_such_option", "1"])
    assert calls == []
    run({name: stand_in}, arguments=words)
    assert len(calls) == 1


def test_a_tool_starts_in_any_folder(tmp_path):
    done = python(tmp_path, ROOT / "tools/repo", "check_json", ROOT / "tools")
    assert done.stdout == "" and not list(tmp_path.iterdir())
