"""Draws a study's figure: mean Dice with its spread, and a point for every run."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from common.atomic_write import replacing
from tools.report.compare_runs import COLOURS, DPI
from tools.report.figures import style_panel

from .grid import Study
from .results import Scores, Spread, number, shown

SIZE_INCHES = (5.6, 3.8)
INCHES_A_BAR = 1.0  # for its name
BARS_WIDTH = 0.7  # of all bars at one level, levels being 1 apart


def draw(study: Study, found: Scores) -> Path:
    """Draws `figure.png`; returns its path."""
    wanted = study.content["figure"]
    levels = list(dict.fromkeys(level for line in found.values() for level in line))
    width = max(SIZE_INCHES[0], INCHES_A_BAR * len(levels)) if wanted["kind"] == "bars" else 0
    picture = Figure(figsize=(width or SIZE_INCHES[0], SIZE_INCHES[1]), layout="constrained")
    axes = picture.subplots()
    numbers = [number(level) for level in levels]
    is_even = wanted["kind"] == "bars" or wanted.get("x_scale") == "even" or None in numbers
    places = dict(zip(levels, range(len(levels)) if is_even else numbers))
    for index, (line, by_level) in enumerate(found.items()):
        colour = COLOURS[index % len(COLOURS)]
        at = [places[level] for level in by_level]
        runs = [list(repeats.values()) for repeats in by_level.values()]
        if wanted["kind"] == "lines":
            draw_line(axes, at, runs, colour, line)
        else:
            width = BARS_WIDTH / len(found)
            shift = (index - (len(found) - 1) / 2) * width
            draw_bars(axes, [x + shift for x in at], runs, colour, line, width)
    name_axes(study, axes, places)
    if any(found):
        axes.legend(fontsize=8, frameon=False)
    picture.supxlabel(note(found), fontsize=7, color="#5b6570")
    path = study.output_dir / "figure.png"
    with replacing(path) as temporary:
        picture.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path


def name_axes(study: Study, axes, places: dict[str, float]) -> None:
    """Writes title, axes' names, and a tick for each level."""
    wanted = study.content["figure"]
    style_panel(axes, study.content["title"])
    names = [shown(study, level).replace(" + ", " +\n") for level in places]
    axes.set_xticks(list(places.values()), names)
    axes.set_xlabel(wanted.get("x_label", wanted["x"]), fontsize=9)
    axes.set_ylabel("mean Dice of the organs", fontsize=9)


def draw_line(axes, at: list[float], runs: list[list[float]], colour: str, label: str) -> None:
    """Draws a line of means, the spread as a band around it, and a point for each run."""
    order = np.argsort(at)
    x = np.array(at, float)[order]
    spreads = [Spread(tuple(runs[index])) for index in order]
    mean = np.array([spread.mean for spread in spreads])
    sd = np.nan_to_num([spread.sd for spread in spreads])
    axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0)
    axes.plot(x, mean, "-", color=colour, lw=1.8, label=label or None)
    for place, values in zip(at, runs):
        axes.plot([place] * len(values), values, "o", color=colour, ms=4, alpha=0.7, mew=0)


def draw_bars(
    axes, at: list[float], runs: list[list[float]], colour: str, label: str, width: float
) -> None:
    """Draws a bar for each mean, the spread as a whisker, and a point for each run beside it."""
    spreads = [Spread(tuple(values)) for values in runs]
    means = [spread.mean for spread in spreads]
    bars = axes.bar(at, means, 0.9 * width, color=colour, alpha=0.45, label=label or None)
    axes.bar_label(bars, fmt="%.3f", label_type="center", fontsize=8)
    axes.errorbar(
        at, means, np.nan_to_num([spread.sd for spread in spreads]), fmt="none", ecolor="#333c46"
    )
    for place, values in zip(at, runs):
        beside = [place + 0.22 * width] * len(values)
        axes.plot(beside, values, "o", color=colour, ms=4, mew=0)


def note(found: Scores) -> str:
    """Explains line, band and points, with the number of runs behind a mean."""
    counts = sorted({len(repeats) for line in found.values() for repeats in line.values()})
    runs = " or ".join(map(str, counts)) + (" run" if counts == [1] else " runs")
    return f"points: runs; mean ± standard deviation of {runs}"
