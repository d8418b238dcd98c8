"""Draws a study's figure: mean Dice with its spread, and a point for every run."""

import collections
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tools.report.compare_runs import COLOURS, save_png
from tools.report.curves import style_panel

from .grid import Study
from .results import Panels, Scores, Spread, levels_of, number
from .tables import shown

SIZE_INCHES = (5.6, 3.8)  # of one panel
INCHES_A_BAR = 1.0  # for its name
INCHES_A_POINT = 0.17  # one mean beside the next
NARROWEST_INCHES = 2.0  # a panel of points
INCHES_A_LETTER = 0.11  # of a panel's title
LEVEL_WIDTH = 0.7  # of all bars or points at one level, levels being 1 apart
LINES, MARKERS = ("-", "--", ":"), ("o", "s", "^")  # of the first six lines, of the next six, …


@dataclass(frozen=True)
class Style:
    """Holds how a line is drawn, so that it can be told from all others."""

    colour: str
    line: str
    marker: str


def styles_of(lines: list[str]) -> dict[str, Style]:
    """Returns the style of each line: six colours in turn, then other dashes and markers.

    A line named after one before it, as `masked_equal_time` after `masked`, has that one's colour.
    """
    colours: dict[str, str] = {}
    new, drawn = itertools.cycle(COLOURS), collections.Counter[str]()
    styles = {}
    for line in lines:
        names = [other for other in colours if line.startswith(f"{other}_")]
        colour = colours[line] = colours[max(names, key=len)] if names else next(new)
        turn = drawn[colour]
        styles[line] = Style(colour, LINES[turn % len(LINES)], MARKERS[turn % len(MARKERS)])
        drawn[colour] += 1
    return styles


def draw(study: Study, found: Panels) -> Path:
    """Draws `figure.png`, its panels side by side; returns its path."""
    widths = [panel_inches(study, name, scores) for name, scores in found.items()]
    picture = Figure(figsize=(sum(widths), SIZE_INCHES[1]), layout="constrained")
    styles = styles_of(list(dict.fromkeys(line for scores in found.values() for line in scores)))
    panels = picture.subplots(
        1, len(found), sharey=True, squeeze=False, gridspec_kw={"width_ratios": widths}
    )[0]
    for axes, (name, scores) in zip(panels, found.items()):
        draw_panel(study, axes, scores, styles, name)
    panels[0].set_ylabel("mean Dice of the organs", fontsize=9)
    if len(found) > 1:
        picture.suptitle(study.content["title"], fontsize=10)
    add_legend(picture, panels)
    picture.supxlabel(note(found), fontsize=7, color="#5b6570")
    return save_png(picture, study.output_dir / "figure.png")


def panel_inches(study: Study, name: str, scores: Scores) -> float:
    """Returns a panel's width, which for bars and points follows from how many there are."""
    kind, levels = study.content["figure"]["kind"], len(levels_of(scores))
    if kind == "points":
        points = INCHES_A_POINT * len(scores) * levels / LEVEL_WIDTH
        return max(NARROWEST_INCHES, INCHES_A_LETTER * len(name), points)
    return max(SIZE_INCHES[0], INCHES_A_BAR * levels if kind == "bars" else 0)


def add_legend(picture: Figure, panels) -> None:
    """Names the lines: in a single panel inside it, else at the right of all, each once."""
    if len(panels) == 1:
        if panels[0].get_legend_handles_labels()[1]:
            panels[0].legend(fontsize=8, frameon=False)
        return
    named = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            named.setdefault(label, handle)
    if named:
        picture.legend(named.values(), named, loc="outside right upper", fontsize=8, frameon=False)


def draw_panel(study: Study, axes, found: Scores, styles: dict[str, Style], name: str) -> None:
    """Draws lines, bars or points of one panel; a line has the same style in all of them."""
    wanted, levels = study.content["figure"], levels_of(found)
    numbers = [number(level) for level in levels]
    is_even = wanted["kind"] != "lines" or wanted.get("x_scale") == "even" or None in numbers
    places = dict(zip(levels, range(len(levels)) if is_even else numbers))
    width = LEVEL_WIDTH / len(found)
    for index, (line, by_level) in enumerate(found.items()):
        shift = 0 if wanted["kind"] == "lines" else (index - (len(found) - 1) / 2) * width
        at = [places[level] + shift for level in by_level]
        runs = [list(repeats.values()) for repeats in by_level.values()]
        DRAW[wanted["kind"]](axes, at, runs, styles[line], line, width)
    name_axes(study, axes, places, name or study.content["title"])


def name_axes(study: Study, axes, places: dict[str, float], title: str) -> None:
    """Writes title, axes' names, and a tick for each level."""
    wanted = study.content["figure"]
    style_panel(axes, title)
    names = [shown(study, level).replace(" + ", " +\n") for level in places]
    axes.set_xticks(list(places.values()), names)
    axes.set_xlabel(wanted.get("x_label", wanted["x"]), fontsize=9)
    if wanted["kind"] == "points":
        axes.set_xlim(-0.5, len(places) - 0.5)


def draw_line(
    axes, at: list[float], runs: list[list[float]], style: Style, label: str, width: float
) -> None:
    """Draws a line of means, the spread as a band around it, and a point for each run."""
    order = np.argsort(at)
    x = np.array(at, float)[order]
    spreads = [Spread(tuple(runs[index])) for index in order]
    mean = np.array([spread.mean for spread in spreads])
    sd = np.nan_to_num([spread.sd for spread in spreads])
    axes.fill_between(x, mean - sd, mean + sd, color=style.colour, alpha=0.15, lw=0)
    axes.plot(x, mean, style.line, color=style.colour, lw=1.8, label=label or None)
    draw_runs(axes, at, runs, style, alpha=0.7)


def draw_bars(
    axes, at: list[float], runs: list[list[float]], style: Style, label: str, width: float
) -> None:
    """Draws a bar for each mean, the spread as a whisker, and a point for each run beside it."""
    spreads = [Spread(tuple(values)) for values in runs]
    means = [spread.mean for spread in spreads]
    bars = axes.bar(at, means, 0.9 * width, color=style.colour, alpha=0.45, label=label or None)
    axes.bar_label(bars, fmt="%.3f", label_type="center", fontsize=8)
    axes.errorbar(
        at, means, np.nan_to_num([spread.sd for spread in spreads]), fmt="none", ecolor="#333c46"
    )
    draw_runs(axes, [place + 0.22 * width for place in at], runs, style, alpha=1)


def draw_points(
    axes, at: list[float], runs: list[list[float]], style: Style, label: str, width: float
) -> None:
    """Draws a mark for each mean, the spread as a whisker, and pale points for the runs."""
    spreads = [Spread(tuple(values)) for values in runs]
    sd = np.nan_to_num([spread.sd for spread in spreads])
    axes.errorbar(
        at, [spread.mean for spread in spreads], sd, color=style.colour, fmt=style.marker,
        ms=6, lw=1.8, label=label or None,
    )  # fmt: skip
    draw_runs(axes, [place + 0.22 * width for place in at], runs, style, alpha=0.45)


def draw_runs(axes, at: list[float], runs: list[list[float]], style: Style, alpha: float) -> None:
    """Draws a point for each run."""
    for x, values in zip(at, runs):
        axes.plot(
            [x] * len(values), values, style.marker, color=style.colour, ms=4, alpha=alpha, mew=0
        )


DRAW = {"lines": draw_line, "bars": draw_bars, "points": draw_points}


def note(found: Panels) -> str:
    """Explains line, band and points, with the number of runs behind a mean."""
    lines = [line for scores in found.values() for line in scores.values()]
    counts = sorted({len(repeats) for line in lines for repeats in line.values()})
    runs = " or ".join(map(str, counts)) + (" run" if counts == [1] else " runs")
    return f"points: runs; mean ± standard deviation of {runs}"
