"""Draws a study's figure: mean Dice with its spread, and a point for every run."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from common.atomic_write import replacing
from tools.report.compare_runs import COLOURS, DPI
from tools.report.curves import style_panel

from .grid import Study
from .results import Panels, Scores, Spread, levels_of, number
from .tables import shown

SIZE_INCHES = (5.6, 3.8)
INCHES_A_BAR = 1.0  # for its name
BARS_WIDTH = 0.7  # of all bars at one level, levels being 1 apart


def draw(study: Study, found: Panels) -> Path:
    """Draws `figure.png`, its panels side by side; returns its path."""
    bars = study.content["figure"]["kind"] == "bars"
    most = max(len(levels_of(scores)) for scores in found.values())
    width = max(SIZE_INCHES[0], INCHES_A_BAR * most if bars else 0)
    size = (width * len(found), SIZE_INCHES[1])
    picture = Figure(figsize=size, layout="constrained")
    colours: dict[str, str] = {}
    for axes, (name, scores) in zip(
        picture.subplots(1, len(found), sharey=True, squeeze=False)[0], found.items()
    ):
        for line in scores:
            colours.setdefault(line, COLOURS[len(colours) % len(COLOURS)])
        draw_panel(study, axes, scores, colours, name)
    if len(found) > 1:
        picture.suptitle(study.content["title"], fontsize=10)
    picture.supxlabel(note(found), fontsize=7, color="#5b6570")
    path = study.output_dir / "figure.png"
    with replacing(path) as temporary:
        picture.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path


def draw_panel(study: Study, axes, found: Scores, colours: dict[str, str], name: str) -> None:
    """Draws the lines or bars of one panel; a line has the same colour in all of them."""
    wanted, levels = study.content["figure"], levels_of(found)
    numbers = [number(level) for level in levels]
    is_even = wanted["kind"] == "bars" or wanted.get("x_scale") == "even" or None in numbers
    places = dict(zip(levels, range(len(levels)) if is_even else numbers))
    for index, (line, by_level) in enumerate(found.items()):
        at = [places[level] for level in by_level]
        runs = [list(repeats.values()) for repeats in by_level.values()]
        if wanted["kind"] == "lines":
            draw_line(axes, at, runs, colours[line], line)
        else:
            width = BARS_WIDTH / len(found)
            shift = (index - (len(found) - 1) / 2) * width
            draw_bars(axes, [x + shift for x in at], runs, colours[line], line, width)
    name_axes(study, axes, places, name or study.content["title"])
    if any(found):
        axes.legend(fontsize=8, frameon=False)


def name_axes(study: Study, axes, places: dict[str, float], title: str) -> None:
    """Writes title, axes' names, and a tick for each level."""
    wanted = study.content["figure"]
    style_panel(axes, title)
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


def note(found: Panels) -> str:
    """Explains line, band and points, with the number of runs behind a mean."""
    lines = [line for scores in found.values() for line in scores.values()]
    counts = sorted({len(repeats) for line in lines for repeats in line.values()})
    runs = " or ".join(map(str, counts)) + (" run" if counts == [1] else " runs")
    return f"points: runs; mean ± standard deviation of {runs}"
