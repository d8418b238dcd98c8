"""Draws the planned test: the gain of each pair over the baseline, and their mean."""

from pathlib import Path

from matplotlib.figure import Figure

from tools.report.compare_runs import save_png
from tools.report.curves import style_panel

from .figure import styles_of
from .grid import Study
from .hypothesis import Comparison

WIDTH_IN, INCHES_A_LEVEL, INCHES_AROUND = 6.4, 0.62, 1.2
PAIR_MARK, MEAN_MARK = 26, 90  # sizes in points²


def draw_test(study: Study, comparisons: list[Comparison]) -> Path:
    """Draws `test.png`, a row for each level: its pairs as points, their mean ± sd as a bar.

    Returns:
        Its path.
    """
    test = study.content["test"]
    height = INCHES_AROUND + INCHES_A_LEVEL * len(comparisons)
    picture = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = picture.subplots()
    style_panel(axes, f"gain over {test['baseline']}, pairs of one {test['pairs']}")
    axes.axvline(0, color="#333c46", lw=1)
    styles = styles_of(list(map(str, study.content["factors"][test["factor"]])))
    for place, each in enumerate(comparisons):
        draw_level(axes, place, each, styles[each.level].colour)
    names = [f"{each.level.replace('_', ' ')}\n{label(each)}" for each in comparisons]
    axes.set_yticks(range(len(comparisons)), names)
    axes.set_ylim(len(comparisons) - 0.5, -0.5)
    axes.set_xlabel("difference of mean Dice", fontsize=9)
    cell = ", ".join(f"{name} {level}" for name, level in test["cell"].items())
    picture.supxlabel(
        f"{cell or 'all runs'}; points: pairs; bar: mean ± standard deviation; p: Holm's",
        fontsize=7, color="#5b6570",
    )  # fmt: skip
    return save_png(picture, study.output_dir / "test.png")


def draw_level(axes, place: int, each: Comparison, colour: str) -> None:
    """Draws the row of one level; nothing where no pair has been run."""
    if not each.gains:
        return
    gains = each.gains
    if len(gains.values) > 1:
        axes.plot([gains.mean - gains.sd, gains.mean + gains.sd], [place] * 2, color=colour, lw=2)
    axes.scatter(gains.mean, place, MEAN_MARK, color=colour, marker="|", lw=3)
    axes.scatter(
        gains.values, [place] * len(gains.values), PAIR_MARK, color=colour, alpha=0.5, lw=0
    )


def label(each: Comparison) -> str:
    """Says how many pairs there are, and the corrected p: `9 of 9 pairs, p 0.012`."""
    count = f"{len(each.pairs)} of {len(each.planned)} pairs"
    return count if each.corrected is None else f"{count}, p {each.corrected:.3f}"
