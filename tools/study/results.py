"""Collects a study's results: one row for each run, and their means, spreads and gains."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from common.atomic_write import replacing

from .grid import Study

SCORE = "mean_dice"
PARTS = "dice"  # of the summary: a score for each organ

# Score by repeat (a seed, for instance), by level of x, by line
Scores = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Spread:
    """Holds the mean and sample standard deviation (NaN of a single value) of several runs."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean(self.values)

    @property
    def sd(self) -> float:
        return stdev(self.values) if len(self.values) > 1 else float("nan")

    def text(self, sign: str = "") -> str:
        """Formats the mean and spread as `0.512 ± 0.020`; the sign "+" marks positive gains."""
        spread = f" ± {self.sd:.3f}" if len(self.values) > 1 else ""
        return f"{self.mean:{sign}.3f}{spread}"


def read_results(study: Study) -> list[dict[str, Any]]:
    """Reads a row for each evaluated run: its factors, its mean Dice, and each organ's.

    An organ that no case shows is None.

    Raises:
        SystemExit: a summary is damaged or has no mean Dice; or no run has one yet.
    """
    rows = []
    for run in study.runs:
        path = study.result(run)
        if not path.is_file():
            continue
        try:
            summary = json.loads(path.read_text())
            rows.append(run | {SCORE: float(summary[SCORE])} | dict(summary[PARTS]))
        except (ValueError, KeyError, TypeError):
            raise SystemExit(
                f"{path} is no evaluation's summary with a {SCORE} and a {PARTS} of each organ; "
                "delete its folder, and it is made anew."
            ) from None
    if not rows:
        raise SystemExit(f"{study.output_dir} has no result yet; start the study by run.")
    return rows


def write_results(study: Study, rows: list[dict[str, Any]]) -> None:
    """Writes `results.csv`."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path = study.output_dir / "results.csv"
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def scores(study: Study, rows: Iterable[dict[str, Any]]) -> Scores:
    """Groups the mean Dice as the figure has it; a study without lines has one, called "".

    Factors that the figure does not name count as repeats.
    """
    figure, found = study.content["figure"], {}
    drawn = (figure["x"], figure.get("lines"))
    for row in rows:
        line = row[figure["lines"]] if "lines" in figure else ""
        repeat = ", ".join(row[name] for name in study.content["factors"] if name not in drawn)
        found.setdefault(line, {}).setdefault(row[figure["x"]], {})[repeat] = row[SCORE]
    return found


def gain(better: dict[str, float], base: dict[str, float]) -> Spread | None:
    """Computes paired differences of runs with one repeat, such as one seed; None without pairs."""
    pairs = [better[repeat] - base[repeat] for repeat in base if repeat in better]
    return Spread(tuple(pairs)) if pairs else None


def table(study: Study, found: Scores) -> str:
    """Formats means, spreads and gains over the first line, or without lines over the first x."""
    first, *others = found
    levels = list(dict.fromkeys(x for line in found.values() for x in line))
    base = levels[0]
    head = [study.content["figure"]["x"], *(line or "mean Dice" for line in found)]
    head += [f"gain of {line}" for line in others] if others else [f"gain over {base}"]
    lines = [[*head, "runs"]]
    for x in levels:
        here = [found[line].get(x, {}) for line in found]
        cells = [Spread(tuple(each.values())).text() if each else "-" for each in here]
        gains = [gain(each, here[0]) for each in here[1:]]
        if not others:
            gains = [gain(here[0], found[first].get(base, {})) if x != base else None]
        cells += [each.text("+") if each else "-" for each in gains]
        lines.append([shown(study, x), *cells, str(sum(map(len, here)))])
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in lines]
    return "\n".join(line.rstrip() for line in text)


def number(level: str) -> float | None:
    """Reads a level as a number, None where it is a name."""
    try:
        return float(level)
    except ValueError:
        return None


def shown(study: Study, level: str) -> str:
    """Writes a level of x as the figure does: 0.1 as 10%, for instance."""
    form = study.content["figure"].get("x_format")
    value = number(level)
    return form.format(x=value) if form and value is not None else level
