# generated from common/cli/commands.py, do not edit: `make copies`
"""Runs typed functions as commands, by argparse: `python -m scripts weights inspect FILE`."""

import argparse
import os
import re
import select
import sys
from collections.abc import Callable
from functools import partial
from inspect import Parameter, getdoc, signature
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..errors import InputError, suggest_and_list
from .kinds import describe, is_valid

Commands = dict[str, "Callable | Commands"]
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
OUTPUT_CLOSED = 141  # the status of a program that SIGPIPE ends
STOPPED = 130  # the status of a program that Ctrl-C ends
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def run(
    commands: Commands | Callable, program: str | None = None, arguments: list[str] | None = None
) -> None:
    """Runs the command that the command line names, and prints what its function returns.

    Parameters without a default are given by position, those after a `*` and those with a default
    by name. Nothing runs before every word has been checked.

    Args:
        commands: functions by name; a dict in it is a group of commands. A single function is a
            program of one command. Parameters are annotated `str`, `int`, `float`, `bool`, `Path`,
            `Literal`, a number with its range (`kinds.Seed`), or `list` of these (`1,2,3`), each
            perhaps `| None`.
        program: how the program is started, for its help.
        arguments: words of the command line; by default those of this process.

    Raises:
        SystemExit: status 0 after `--help`; status 1 and one sentence after a mistake; 130 and one
            after Ctrl-C; 141 where nobody reads the output any more.
    """
    call = understand(commands, program, arguments)
    try:
        result = call()
        if result is not None:
            print(result)
        sys.stdout.flush()
    except InputError as mistake:
        raise SystemExit(f"error: {mistake}") from None
    except KeyboardInterrupt:
        print("error: stopped by the keyboard; the same command begins again.", file=sys.stderr)
        raise SystemExit(STOPPED) from None
    except BrokenPipeError:  # `… | head` has read enough, or it is a pipe of the command's own
        if not _is_output_closed():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains
        raise SystemExit(OUTPUT_CLOSED) from None


def _is_output_closed() -> bool:
    """Tells whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # of a closed pipe it tells without being asked
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def understand(
    commands: Commands | Callable, program: str | None = None, arguments: list[str] | None = None
) -> Callable[[], Any]:
    """Reads a command line as `run` does, and returns the call of its function, not yet made."""
    parser = _Parser(program, formatter_class=argparse.RawDescriptionHelpFormatter)
    _add(parser, commands)
    values = vars(parser.parse_args(arguments))
    return partial(values.pop("run command"), values)


class _Parser(argparse.ArgumentParser):
    """Refuses wrong options in one sentence that names the nearest right word; exits with 1."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def parse_known_args(self, args=None, namespace=None):
        namespace, extra = super().parse_known_args(args, namespace)
        if extra:  # refused here, where this command's own options are known
            word = extra[0].partition("=")[0]
            known = [action.option_strings[0] for action in self._actions if action.option_strings]
            typed = "--" + word.lstrip("-").replace("-", "_") if word.startswith("-") else word
            self.error(f"{word} is unknown; {suggest_and_list(typed, known)}")
        return namespace, extra

    def error(self, message: str) -> None:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known = re.findall(r"'(.*?)'", choice[2])
            message = f"{choice[1]} is unknown; {suggest_and_list(choice[1], known)}"
        raise SystemExit(f"error: {message} (`{self.prog} --help` explains more)")


def _add(parser: _Parser, commands: Commands | Callable) -> None:
    """Adds a function's parameters, or a group's commands, to a parser."""
    if callable(commands):
        _add_parameters(parser, commands)
        return
    choices = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name, command in commands.items():
        text, _ = _docstring(command) if callable(command) else (", ".join(command), {})
        kind = argparse.RawDescriptionHelpFormatter
        summary = text.partition("\n")[0].replace("%", "%%")
        _add(
            choices.add_parser(name, help=summary, description=text, formatter_class=kind), command
        )


def _add_parameters(parser: _Parser, function: Callable) -> None:
    _, helps = _docstring(function)
    parameters = signature(function, eval_str=True).parameters.values()
    for each in parameters:
        read, text = partial(_read, each.annotation), helps.get(each.name, "").replace("%", "%%")
        has_default = each.default is not Parameter.empty
        if each.kind is Parameter.VAR_POSITIONAL:
            parser.add_argument(each.name, nargs="*", type=read, help=text)
        elif each.kind is Parameter.KEYWORD_ONLY or has_default:
            names = dict.fromkeys([f"--{each.name}", f"--{each.name.replace('_', '-')}"])
            options = {"default": each.default} if has_default else {"required": True}
            if has_default and each.default not in (None, ""):
                text += f" (default: {each.default})"
            if _kind(each.annotation) is bool:
                options |= {"nargs": "?", "const": True}
            metavar = each.name.upper()
            parser.add_argument(
                *names, dest=each.name, type=read, help=text.strip(), metavar=metavar, **options
            )
        else:
            parser.add_argument(each.name, type=read, help=text)

    def call(values: dict[str, Any]) -> Any:
        by_position = [p.name for p in parameters if p.kind is Parameter.POSITIONAL_OR_KEYWORD]
        more = [p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL]
        given = [values.pop(name) for name in by_position]
        given += [value for name in more for value in values.pop(name)]
        return function(*given, **values)

    parser.set_defaults(**{"run command": call})


def _docstring(function: Callable) -> tuple[str, dict[str, str]]:
    """Returns the text above a Google-style docstring's sections, and that of each parameter."""
    text, *sections = re.split(r"^(Args|Returns|Raises):$", getdoc(function) or "", flags=re.M)
    arguments = dict(zip(sections[::2], sections[1::2])).get("Args", "")
    helps = {}
    for entry in re.split(r"^ {4}(?=\S)", arguments, flags=re.M)[1:]:
        names, _, words = entry.partition(":")
        helps |= {name.strip(): " ".join(words.split()) for name in names.split(",")}
    return text.strip(), helps


def _kind(annotation: Any) -> Any:
    """Returns the annotated type without `| None`; str where there is none."""
    if get_origin(annotation) in (Union, UnionType):  # Literal[…] | None is the former
        return next(kind for kind in get_args(annotation) if kind is not NoneType)
    return str if annotation is Parameter.empty else annotation


def _read(annotation: Any, word: str) -> Any:
    """Converts a word of the command line; a str is exactly the word."""
    kind, limits = _kind(annotation), {}
    if get_origin(kind) is Annotated:
        kind, *pairs = get_args(kind)
        limits = dict(pairs)
    if get_origin(kind) is list:
        parts = [part.strip() for part in word.strip("[]()").split(",")]
        if "" in parts:
            raise argparse.ArgumentTypeError(f"takes values separated by commas, not '{word}'")
        return [_read(get_args(kind)[0], part) for part in parts]
    if get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in get_args(kind)}
        if word not in choices:
            remedy = suggest_and_list(word, list(choices))
            raise argparse.ArgumentTypeError(f"{word} is unknown; {remedy}")
        return choices[word]
    try:
        if kind in (int, float) and "_" in word:  # Python reads 2025_01 as 202501
            raise ValueError
        value = BOOLEANS[word.lower()] if kind is bool else kind(word)
        if limits and not is_valid(value, limits):
            raise ValueError
    except (KeyError, ValueError):
        expected = describe(limits) if limits else KINDS[kind]
        raise argparse.ArgumentTypeError(f"takes {expected}, not {word}") from None
    return value
