"""Makes the page's sections of numbers: curves of runs, and scores of an evaluation."""

import html
import math
from datetime import datetime
from pathlib import Path

import pandas as pd

from common.errors import InputError
from common.evaluation.summary import FIRST_REGION

from .curves import curves_figure, dice_figure, readable
from .html_page import Section, figure_html, paragraph, table_html
from .inputs import existing, read_metrics


def run_title(run: Path) -> str:
    """Names a run, with its bundle when the path is bundles/BUNDLE/runs/RUN."""
    parts = run.resolve().parts
    if len(parts) >= 4 and parts[-4] == "bundles" and parts[-2] == "runs":
        return f"{parts[-3]}: {parts[-1]}"
    return parts[-1]


def best_score(curves: dict, title: str) -> list[tuple[str, str]]:
    """Returns a run's best validation score, Dice before accuracy before PSNR."""
    for word in ("mean_dice", "dice", "accuracy", "psnr"):
        for quantity in (q for q in curves if word in q):
            series = curves[quantity].get("validation", {})
            finite = {i: v for i, v in series.items() if math.isfinite(v)}
            if finite:
                best = max(finite, key=finite.get)
                meaning = f"Best validation {readable(quantity)}, iteration {best}, {title}"
                return [(f"{finite[best]:.3g}", meaning)]
    return []


def runs_section(runs: list[str]) -> Section:
    """Shows the curves of each run."""
    body = paragraph(
        "One panel for each quantity that the training wrote to metrics.csv. Losses should fall; "
        "accuracy, Dice and PSNR should rise. A validation loss that rises while the training loss "
        "still falls is overfitting."
    )
    headlines = []
    for run in (existing(run, "--runs", kind="folder") for run in runs):
        curves, title = read_metrics(run), run_title(run)
        series = [s for splits in curves.values() for s in splits.values()]
        last = max(max(s) for s in series)
        broken = sum(not math.isfinite(v) for s in series for v in s.values())
        date = datetime.fromtimestamp((run / "metrics.csv").stat().st_mtime)
        caption = f"Run {title}, up to iteration {last}, last written {date:%Y-%m-%d %H:%M}."
        if broken:
            caption += f" {broken} values are not finite: the training may have diverged."
        body += f"<h3>{html.escape(title)}</h3>\n"
        body += figure_html(curves_figure(curves), f"Training curves of {title}", caption)
        headlines += best_score(curves, title)
    return Section("Training curves", body, headlines)


def format_score(value: float, column: str = "dice") -> str:
    """Writes a score; a dash stands for "not defined"."""
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:.1f}" if column.startswith("hd95") else f"{value:.3f}"


def mean_of_highlighted(dice: pd.Series, highlight: list[str]) -> float:
    """Averages the named organs' mean Dice; undefined organs are left out."""
    unknown = [name for name in highlight if name not in dice]
    if unknown:
        raise InputError(
            f"--highlight names {', '.join(unknown)}, which the evaluation does not hold; choose "
            f"from {', '.join(dice.index)}."
        )
    return dice[highlight].mean()


def evaluation_section(path: Path, table: pd.DataFrame, highlight: list[str]) -> Section:
    """Shows Dice per organ as a table and as a plot."""
    organs = table.groupby("name", sort=False)
    dice, others = organs["dice"], list(table.columns[4:])
    numbers = dice.agg(["mean", "min", "max"]).join(organs[others].mean())
    formats = ["dice"] * 3 + others
    rows = [
        [name, *map(format_score, numbers.loc[name], formats), str(count)]
        for name, count in dice.count().items()
    ]
    labels = table.loc[table["label"] < FIRST_REGION, "name"].unique()
    means, cases = numbers.loc[labels].mean(), table["case"].nunique()
    regions = ", without unions of labels" if len(labels) < len(rows) else ""
    titles = [
        f"Mean {c.replace('_', ' ').replace('nsd', 'NSD').replace('hd95', 'HD95')}" for c in others
    ]
    header = ["Organ", "Mean Dice", "Min Dice", "Max Dice", *titles, "Cases"]
    body = paragraph(
        "Dice is the overlap of prediction and reference: 1 is perfect, 0 is none. A case counts "
        "for an organ only where the score is defined. The last row is the mean of each "
        f"column{regions}."
    )
    if others:
        body += paragraph(
            "NSD is the share of both surfaces that lies within the tolerance of the other one. "
            "HD95 is the distance in mm within which 95 % of either surface lies; it leaves out "
            "the cases in which an organ was not predicted at all, so compare it beside Dice."
        )
    body += table_html(header, rows, ["Mean", *map(format_score, means, formats), str(cases)])
    dice_of = {name: values.dropna().tolist() for name, values in dice}
    caption = f"Each point is one case of {path.name}; the red bar is the organ's mean. "
    caption += "Boxes (from five cases on) span the middle half of the cases."
    body += figure_html(dice_figure(dice_of), "Dice per organ", caption)
    plural = "case" if cases == 1 else "cases"
    headlines = [
        (format_score(means["mean"]), f"Mean Dice of {len(labels)} organs, {cases} {plural}")
    ]
    if highlight:
        value = mean_of_highlighted(numbers["mean"], highlight)
        headlines.insert(0, (format_score(value), f"Mean Dice of {', '.join(highlight)}"))
    return Section("Dice per organ", body, headlines)
