"""Collects a study's results: one row for each run, and their means, spreads and gains."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from common.errors import InputError

from .grid import Study, chain, line_factors
from .steps import made_by, record

SCORE = "mean_dice"
PARTS = "dice"  # of the summary: a score for each organ
MADE_BY = "made_by"

# Score by repeat (a seed, for instance), by level of x, by line
Scores = dict[str, dict[str, dict[str, float]]]
Panels = dict[str, Scores]  # by the panel's name; "" where the figure has one panel


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

    An organ that no case shows is None. Then follow the seconds of each step that the run needs (a
    step that runs share has the same in each), and a digest of the commands. Runs without a
    summary have the row that is known of them, if any.

    Raises:
        InputError: a summary is damaged or has no mean Dice; or no run has one yet.
    """
    rows, last = [], list(study.content["steps"])[-1]
    for run in study.runs:
        path = study.result(run)
        if not path.is_file():
            rows += [row for row in study.known if run.items() <= row.items()]
            continue
        try:
            summary = json.loads(path.read_text())
            parts = {n: None if x is None else finite(x) for n, x in summary[PARTS].items()}
            row = run | {SCORE: finite(summary[SCORE])} | parts
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{path} is no evaluation's summary with a {SCORE} and a {PARTS} of each organ, "
                "each a finite number; delete its folder, and it is made anew."
            ) from None
        job = study.job(last, run)
        seconds = {each.step: record(each).get("seconds") for each in chain(job)}
        columns = {f"{step}_seconds": seconds.get(step) for step in study.content["steps"]}
        rows.append(row | columns | {MADE_BY: made_by(study, job)})
    if not rows:
        raise InputError(f"{study.output_dir} has no result yet; start the study by run.")
    return rows


def finite(value: Any) -> float:
    """Reads a finite number.

    Raises:
        ValueError, TypeError: it is none; NaN would pass for a result in every comparison.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return number


def panels(study: Study, rows: list[dict[str, Any]]) -> Panels:
    """Groups the mean Dice by the figure's panels; without `panels` there is one, called ""."""
    factor = study.content["figure"].get("panels")
    if factor is None:
        return {"": scores(study, rows)}
    levels = dict.fromkeys(row[factor] for row in rows)
    return {
        f"{factor} {level}": scores(study, [row for row in rows if row[factor] == level])
        for level in levels
    }


def scores(study: Study, rows: Iterable[dict[str, Any]]) -> Scores:
    """Groups the mean Dice of one panel; a study without lines has one, called "".

    Factors that the figure does not name count as repeats.
    """
    figure, found = study.content["figure"], {}
    lines = line_factors(figure)
    drawn = (figure["x"], *lines, figure.get("panels"))
    for row in rows:
        line = ", ".join(row[n] if len(lines) == 1 else f"{n} {row[n]}" for n in lines)
        repeat = ", ".join(row[name] for name in study.content["factors"] if name not in drawn)
        found.setdefault(line, {}).setdefault(row[figure["x"]], {})[repeat] = row[SCORE]
    return found


def levels_of(found: Scores) -> list[str]:
    """Returns the levels of x that any line of a panel has, in the order of the runs."""
    return list(dict.fromkeys(level for line in found.values() for level in line))


def gain(better: dict[str, float], base: dict[str, float]) -> Spread | None:
    """Computes paired differences of runs with one repeat, such as one seed; None without pairs."""
    pairs = [better[repeat] - base[repeat] for repeat in base if repeat in better]
    return Spread(tuple(pairs)) if pairs else None


def number(level: str) -> float | None:
    """Reads a level as a number, None where it is a name."""
    try:
        return float(level)
    except ValueError:
        return None
