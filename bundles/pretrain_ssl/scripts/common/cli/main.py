# generated from common/cli/main.py, do not edit: `make copies`
"""Starts the commands of a bundle: `python -m scripts weights inspect FILE`."""

import sys
from importlib import import_module

from ..errors import suggest_and_list
from .commands import run

PROGRAM = "python -m scripts"


def main(groups: dict[str, str]) -> None:
    """Runs the command that the command line names, and imports the module of its group alone.

    Args:
        groups: the module of each group of commands by the group's name, such as
            `{"weights": "scripts.common.weights.commands"}`; its `COMMANDS` has the functions.

    Raises:
        SystemExit: status 0 after `--help`; status 1 and a sentence that begins with `error: ` for
            a group that is missing or unknown; see also `commands.run`.
    """
    group, *words = sys.argv[1:] or [""]
    if group in ("", "-h", "--help"):
        print(_overview(groups))
        raise SystemExit(0 if group else "error: A group is missing; choose one of these.")
    if group not in groups:
        remedy = suggest_and_list(group, list(groups))
        raise SystemExit(f"error: There is no group of commands {group}; {remedy}")
    run(import_module(groups[group]).COMMANDS, f"{PROGRAM} {group}", words)


def _overview(groups: dict[str, str]) -> str:
    """Lists the groups, and tells how to see the commands of one."""
    return (
        f"usage: {PROGRAM} GROUP COMMAND ...\n\n"
        f"groups: {', '.join(groups)}\n\n"
        f"`{PROGRAM} GROUP --help` lists the commands of a group."
    )
