# generated from common/evaluation/summary.py, do not edit: `make copies`
"""Summarises an evaluation: means of each organ and over the organs, and the rule behind them."""

from collections.abc import Iterable
from statistics import fmean

import pandas as pd

EMPTY_MASKS = (
    "An organ that a case's reference does not show (empty_references) has no Dice, NSD and HD95 "
    "in that case and is in no mean of them; false_positives counts how often it was predicted all "
    "the same. An organ that is shown and not predicted at all (missed) has Dice 0 and NSD 0, "
    "which are in the means, and no HD95, which is not: where organs were missed, HD95 looks "
    "better than it is."
)
FIRST_REGION = 256  # regions, unions of labels, have the numbers from here on; files hold 0 to 255
COUNTS = ("empty_references", "false_positives", "missed")


def metric_columns(columns: Iterable[str]) -> list[str]:
    """Lists the columns with metrics of a segmentation: `dice`, `nsd_1mm`, …, `hd95_mm`."""
    return [name for name in columns if name.startswith(("dice", "nsd_", "hd95"))]


def summarise(table: pd.DataFrame) -> dict:
    """Summarises an evaluation as in `summary.json`.

    `dice` has the mean of each organ and `mean_dice` the mean of these. `organs` has count, mean,
    standard deviation (of a sample, n - 1) and median of every metric, and the counts that
    `empty_masks` explains. `over_organs` has the same over the organs' means, so that each organ
    weighs the same. None is undefined. Regions, unions of labels, are in `organs` alone.

    Args:
        table: a row for each case and organ, at least one; undefined metrics are NaN.
    """
    organs = {name: _summarise_organ(rows) for name, rows in table.groupby("name", sort=False)}
    labels = {name: organ for name, organ in organs.items() if organ["label"] < FIRST_REGION}
    over_organs = {
        column: spread(organ[column]["mean"] for organ in labels.values())
        for column in metric_columns(table)
    }
    counts = {name: sum(organ[name] for organ in labels.values()) for name in COUNTS}
    return {
        "cases": table["case"].nunique(),
        "mean_dice": over_organs["dice"]["mean"],
        "dice": {name: organ["dice"]["mean"] for name, organ in labels.items()},
        "empty_masks": EMPTY_MASKS,
        "over_organs": over_organs | counts,
        "organs": organs,
    }


def means(table: pd.DataFrame) -> dict[str, float]:
    """Returns the defined means over the organs by name: `mean_dice`, `mean_nsd_1mm`, …"""
    over_organs = summarise(table)["over_organs"]
    found = {f"mean_{name}": over_organs[name]["mean"] for name in metric_columns(table)}
    return {name: mean for name, mean in found.items() if mean is not None}


def _summarise_organ(rows: pd.DataFrame) -> dict:
    """Summarises the rows of one organ: counts, and the spread of each metric."""
    is_shown, is_predicted = rows["reference_volume_ml"] > 0, rows["volume_ml"] > 0
    counts = (~is_shown, ~is_shown & is_predicted, is_shown & ~is_predicted)
    return (
        {"label": int(rows["label"].iloc[0]), "cases": len(rows)}
        | {name: int(cases.sum()) for name, cases in zip(COUNTS, counts)}
        | {column: spread(rows[column]) for column in metric_columns(rows)}
    )


def spread(values: Iterable[float | None]) -> dict:
    """Computes count, mean, standard deviation and median of values that are not None or NaN."""
    numbers = pd.Series(list(values), dtype=float).dropna()
    # fmean rounds once alone, so that a mean does not depend on the order of the cases
    mean = fmean(numbers) if len(numbers) else None
    statistics = {"mean": mean, "sd": numbers.std(), "median": numbers.median()}
    # more digits than the table shows, or a mean would be rounded twice
    return {"count": len(numbers)} | {
        name: None if pd.isna(value) else round(float(value), 6)
        for name, value in statistics.items()
    }


def lines(summary: dict) -> list[str]:
    """Formats the printed table: means of each organ and over the organs, and remarks."""
    organs, over = summary["organs"], summary["over_organs"]
    last = "mean of the organs"
    width = max(28, *(len(name) for name in organs))
    table = [
        f"{name:{width}} {_format_metrics(organ)}{_format_remarks(organ)}"
        for name, organ in organs.items()
    ]
    table.append(f"{last:{width}} {_format_metrics(over)}")
    if over["empty_references"]:
        table.append("the means leave out what a reference does not show")
    if over["missed"]:
        table.append("an organ missed counts as Dice 0 and NSD 0, and is left out of the mean HD95")
    return table


def title(column: str) -> str:
    """Returns the title of a column: `Dice`, `NSD 1mm`, `HD95`."""
    return {"dice": "Dice", "hd95_mm": "HD95"}.get(column, column.replace("nsd_", "NSD "))


def mean_text(column: str, mean: float | None) -> str:
    """Formats a mean with three digits, millimetres with one, an undefined mean as a dash."""
    return "-" if mean is None else format(mean, ".1f" if column == "hd95_mm" else ".3f")


def _format_metrics(organ: dict) -> str:
    """Formats the means of an organ: `Dice 0.903  NSD 1mm 0.612  HD95   4.2 mm`."""
    texts = []
    for column in metric_columns(organ):
        text, unit = mean_text(column, organ[column]["mean"]), ""
        if column == "hd95_mm":
            text, unit = f"{text:>5}", " mm"
        texts.append(f"{title(column)} {text:5}{unit}")
    return "  ".join(texts)


def _format_remarks(organ: dict) -> str:
    """Formats the counts that a mean does not show, where a count is not 0."""
    empty, wrong, missed, cases = (organ[name] for name in (*COUNTS, "cases"))
    texts = []
    if missed:
        texts.append(f"missed in {missed} of {cases - empty}")
    if empty:
        false_positives = f", predicted all the same in {wrong}" if wrong else ""
        texts.append(f"no reference in {empty} of {cases}{false_positives}")
    return "".join(f"  {text}" for text in ["; ".join(texts)] if text)
