"""Writes the tables of a GPU's check into docs/performance.md, from the JSON of the check."""

import json
from pathlib import Path

from common.atomic_write import write_text
from common.errors import InputError
from tools import ROOT

from .recipe import ROWS

PAGE, RESULT = ROOT / "docs/performance.md", ROOT / "docs/gpu.json"
BEGIN, END = "<!-- written by `python tools/benchmark gpu_table` -->\n", "<!-- end -->\n"
ABSENT = {"not_measured": "no GPU was at hand"}


def gpu_table(result: str = "", page: str = "") -> None:
    """Writes the tables of a GPU's check into docs/performance.md, and prints them.

    Args:
        result: JSON of `python tools/benchmark gpu`; without it docs/gpu.json, and where that does
            not exist every row says `measured: no`.
        page: the page to change; without it docs/performance.md.
    """
    source, target = Path(result or RESULT), Path(page or PAGE)
    if result and not source.is_file():
        raise InputError(f"{source} does not exist; write it by `python tools/benchmark gpu`.")
    try:
        content = json.loads(source.read_text()) if source.is_file() else {"steps": {}}
        text = tables(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{source} is no result of `python tools/benchmark gpu`; run that anew."
        ) from error
    if content.get("size") == "tiny" and target.resolve() == PAGE:
        raise InputError(f"{source} is of the tiny size, whose times mean nothing; run it at full.")
    before, begin, rest = target.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{target} has no place for the table: {BEGIN.strip()} to {END.strip()}.")
    write_text(target, before + begin + text + end + after)
    print(text)


def tables(content: dict) -> str:
    """Formats a result as Markdown: machine, recipe, narrow heads, benchmark."""
    steps = content["steps"]
    recipe = [name for name in steps if name.startswith("recipe::")]
    names = recipe or [f"recipe::{row['machine']}" for row in ROWS]
    lines = [_machine(content), ""]
    lines += ["| Recipe | crops a step | `chunk_size` | crops a second | peak GiB | measured |"]
    lines += ["|---|--:|--:|--:|--:|---|"]
    lines += [_recipe_line(name, steps.get(name, ABSENT)) for name in names]
    lines += ["", "| Part | time | measured |", "|---|---|---|"]
    lines += [_line("heads of 4 channels, a forward", steps.get("heads", ABSENT), _heads)]
    for task in ("encoder", "pretrain", "finetune", "volume"):
        lines.append(_line(task, steps.get(f"benchmark::{task}", ABSENT), _benchmark))
    lines.append(_line("tests on a GPU", steps.get("tests", ABSENT), lambda one: one["summary"]))
    return "\n".join(lines) + "\n"


def _machine(content: dict) -> str:
    if "hardware" not in content:
        return "No GPU has been at hand so far."
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    card = content["hardware"]["gpu"] or content["hardware"]["cpu"]
    return f"{content['date']}, {card}; {versions}; `{content['command']}`."


def _recipe_line(name: str, step: dict) -> str:
    machine = name.removeprefix("recipe::")
    row = step.get("result")
    if row is None:
        of_recipe = next((row for row in ROWS if row["machine"] == machine), {"batch_size": ""})
        return f"| {machine} | {of_recipe['batch_size']} | | | | no: {step['not_measured']} |"
    if row["chunk_size"] is None:
        return f"| {machine} | {row['batch_size']} | none fits | | | yes |"
    return (
        f"| {machine} | {row['batch_size']} | {row['chunk_size']} | {row['crops_a_second']:.3g} | "
        f"{row['peak_gib']:.1f} | yes |"
    )


def _line(name: str, step: dict, describe) -> str:
    if "result" not in step:
        return f"| {name} | | no: {step['not_measured']} |"
    return f"| {name} | {describe(step['result'])} | yes |"


def _heads(result: list[dict]) -> str:
    return ", ".join(
        f"{one['precision']} by {one['attention']} "
        + (f"{one['seconds']:.3g} s" if "seconds" in one else "out of memory")
        for one in result
    )


def _benchmark(result: dict) -> str:
    row = next(row for row in result["rows"] if row["reference"] == "as published")
    words = f"{row['ours_s']:.3g} s, published {row['reference_s']:.3g} s"
    hours = row.get("gpu_hours")
    return words + (f"; 450,000 iterations {hours:.0f} GPU-hours" if hours else "")
