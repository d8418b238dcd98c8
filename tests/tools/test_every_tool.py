"""The tools' one scheme, see tools/__init__.py."""

import inspect
from importlib import import_module

import pytest
from bundle_runs import python
from helpers import ROOT

NAMES = sorted(path.parent.name for path in (ROOT / "tools").glob("*/__main__.py"))


def test_every_folder_is_a_tool():
    folders = {path.name for path in (ROOT / "tools").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(NAMES) and len(NAMES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_starts_as_the_others_do(name):
    starts = [(ROOT / "tools" / each / "__main__.py").read_text() for each in (name, NAMES[0])]
    assert starts[0].replace(f"tools.{name}.", f"tools.{NAMES[0]}.") == starts[1]


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_documented_and_typed(name):
    for command in import_module(f"tools.{name}.commands").COMMANDS.values():
        assert inspect.getdoc(command)
        for parameter in inspect.signature(command).parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def test_a_tool_starts_in_any_folder(tmp_path):
    done = python(tmp_path, ROOT / "tools/repo", "check_json", ROOT / "tools")
    assert done.stdout == "" and not list(tmp_path.iterdir())
