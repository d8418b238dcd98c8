"""Checks the form of a study's configuration: kinds of values by form.json, then its names."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import suggest

from .grid import fields, folder_name, line_factors
from .hypothesis import check_test

FORM = Path(__file__).with_suffix(".json")
MOST_SHOWN = 40  # characters of a wrong value


def check_form(content: Any) -> None:
    """Checks that a configuration is of the form that docs/studies.md describes.

    Raises:
        ValueError: it is not; the first mistake is told by its keys, as `steps::train::flags`.
    """
    _check_kinds(content)
    _check_levels(content["factors"], content["steps"])
    _check_own_names(content)
    _check_figure(content["figure"], content["factors"])
    _check_combinations(content)
    if "test" in content:
        check_test(content["test"], content["factors"])
    _check_fields(content)


def check_names(names: Iterable[str], known: Iterable[str], what: str, kind: str) -> None:
    """Checks that names are known.

    Raises:
        ValueError: one is not; the nearest known name is in the sentence, or all are.
    """
    known = list(known)
    for name in names:
        if name not in known:
            remedy = suggest(name, known) or f"there are {', '.join(sorted(known)) or 'none'}."
            raise ValueError(f"{what} knows no {kind} {name}; {remedy}")


def _check_kinds(content: Any) -> None:
    """Checks keys and kinds of values by form.json; of several mistakes the outermost is told."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(FORM.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(content), key=lambda error: len(error.absolute_path))
    if not errors:
        return
    error = errors[0]
    where, value = "::".join(map(str, error.absolute_path)) or "the study", error.instance
    if error.validator == "additionalProperties":
        check_names(value, error.schema["properties"], where, "key")
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in value]
        raise ValueError(f"{where} needs the key {missing[0]}.")
    if error.validator == "enum":
        check_names([value], error.validator_value, "the study", f"{where}")
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
    raise ValueError(f"{where} takes {error.schema['description']}, not {text}.")


def _check_levels(factors: dict[str, Any], steps: dict[str, Any]) -> None:
    """Checks that levels differ, also in their folders, and add flags to steps that exist."""
    for name, levels in factors.items():
        texts = [str(level) for level in levels]
        if len(set(texts)) < len(texts):
            raise ValueError(f"factor {name} needs levels, each of them once.")
        _check_folder_names(name, texts)
        for level, added in levels.items() if isinstance(levels, dict) else ():
            check_names(added, steps, f"level {level} of {name}", "step")


def _check_folder_names(factor: str, levels: list[str]) -> None:
    """Checks that levels of a factor have different folders, whatever the case of letters."""
    by_name: dict[str, str] = {}
    for level in levels:
        other = by_name.setdefault(folder_name(level).casefold(), level)
        if other != level:
            raise ValueError(
                f"factor {factor}: the levels {other} and {level} would have one folder; let them "
                "differ in letters or digits, capitals not counted."
            )


def _check_own_names(content: dict) -> None:
    """Checks that factors, steps and inputs have names of their own."""
    names = [*content["factors"], *content["steps"], *content["inputs"], "folder"]
    for name in (name for name in names if names.count(name) > 1):
        raise ValueError(f"{name} is the name of two; factors, steps and inputs need their own.")


def _check_figure(figure: dict[str, Any], factors: dict[str, Any]) -> None:
    """Checks that the figure names factors, and that its format writes a number."""
    used = [figure[key] for key in ("x", "panels") if key in figure]
    check_names([*used, *line_factors(figure)], factors, "the study", "factor")
    try:
        figure.get("x_format", "").format(x=1.0)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"figure::x_format {figure['x_format']} cannot write the number x; give one such as "
            "{x:.0%}."
        ) from None


def _check_combinations(content: dict) -> None:
    """Checks that `leave_out` and `run_last` name factors and levels that exist."""
    factors = content["factors"]
    for key in ("leave_out", "run_last"):
        for name, levels in (pair for entry in content.get(key, []) for pair in entry.items()):
            check_names([name], factors, key, "factor")
            check_names(map(str, levels), [str(level) for level in factors[name]], key, "level")


def _check_fields(content: dict) -> None:
    """Checks that names in braces are inputs, factors or earlier steps, and no flag is null."""
    known = {*content["inputs"], *content["factors"], "folder"}
    for name, step in content["steps"].items():
        levels = [x for x in content["factors"].values() if isinstance(x, dict)]
        added = [given.get(name, {}) for x in levels for given in x.values()]
        for flags in [step["flags"], *added]:
            check_names(sorted(fields(flags)), known, f"step {name}", "earlier step or input")
            for flag in (flag for flag, value in flags.items() if value is None):
                raise ValueError(f"step {name}: {flag} is null; leave it out, or give a value.")
        known.add(name)
    check_names(sorted(fields(content["result"])), known, "result", "step or input")
