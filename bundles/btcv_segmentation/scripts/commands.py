# Shared: the original is bundles/pretrain_ssl/scripts/commands.py (see tools/vendor.py).
"""Command lines that refuse a mistake in one sentence, before any work is done."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import BoundArguments, signature
from types import NoneType
from typing import Any, get_args

import fire
from fire.core import FireExit
from fire.decorators import SetParseFn

from .command_line import InputError

KINDS = {int: "a whole number", float: "a number", bool: "True or False"}


@dataclass(frozen=True)
class _Call:
    """A command with its arguments, not yet carried out."""

    _function: Callable
    _given: BoundArguments


def run(commands: dict[str, Callable]) -> None:
    """`fire` over plain typed functions; prints what the chosen one returns.

    fire refuses words that it cannot place, such as a misspelt option, only after it has called the
    function. So it calls a stand-in that keeps the arguments, and the function runs when fire has
    placed every word.

    Args:
        commands: function by name. Its parameters are annotated `str`, `int`, `float` or `bool`,
            each perhaps `| None`; the words of the command line are read as such.

    Raises:
        SystemExit: a user's mistake, told in one sentence that begins with `error: `.
    """
    try:
        fire.Fire(
            {name: _stand_in(function) for name, function in commands.items()},
            serialize=_carry_out,
        )
    except FireExit as stop:
        raise SystemExit(f"error: {_complaint(stop)}" if stop.code else 0) from None
    except InputError as mistake:
        raise SystemExit(f"error: {mistake}") from None


def _stand_in(function: Callable) -> Callable[..., _Call]:
    """A function of the same signature and help that keeps its arguments."""

    @SetParseFn(str)  # fire would read the folder 2025_01 as the number 202501
    @wraps(function)
    def keep(*args, **kwargs) -> _Call:
        given = signature(function).bind(*args, **kwargs)
        for name, value in given.arguments.items():
            annotation = signature(function).parameters[name].annotation
            given.arguments[name] = _as_annotated(name, value, annotation)
        return _Call(function, given)

    return keep


def _carry_out(result: Any) -> Any:
    """fire's last step, before it prints the result; without a command that is the list of them."""
    if not isinstance(result, _Call):
        return result
    return result._function(*result._given.args, **result._given.kwargs)


def _as_annotated(name: str, value: Any, annotation: Any) -> Any:
    """A word of the command line as the parameter's kind; defaults come through as they are.

    Raises:
        InputError: it is none of that kind.
    """
    kind = next((k for k in get_args(annotation) if k is not NoneType), annotation)
    if not isinstance(value, str) or kind not in KINDS:
        return value
    try:
        return {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise InputError(f"--{name} takes {KINDS[kind]}, not {value}.") from None


def _complaint(stop: FireExit) -> str:
    """fire's own words, and the option or command that a misspelt one resembles."""
    words, reached = stop.trace.elements[-1].ErrorAsStr(), stop.trace.GetResult()
    wrong = words.rpartition(" ")[2].partition("=")[0]
    if isinstance(reached, _Call):
        known = [f"--{name}" for name in signature(reached._function).parameters]
        wrong = "--" + wrong.lstrip("-").replace("-", "_")
    else:
        known = list(reached) if isinstance(reached, dict) else []
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"{words}; " + (f"did you mean {close[0]}?" if close else "see --help.")
