"""Merges the evaluations of several folds, and compares two evaluations of the same cases.

python -m scripts evaluation merge evaluation/fold0 evaluation/fold1 --output evaluation/all
python -m scripts evaluation compare evaluation/scratch evaluation/pretrained
"""

from statistics import fmean

import pandas as pd
from scipy.stats import wilcoxon

from ..errors import InputError
from . import tables
from .remarks import join_remarks, read_remarks, remark_lines
from .summary import mean_text, metric_columns, title

KEYS = ["case", "label", "name"]


def merge(*folders: str, output: str) -> None:
    """Puts the cases of several evaluations into one: the table of a cross-validation.

    Cases that failed in one of them, or were trained on, are named in the summary too.

    Args:
        folders: folders of evaluations, each with its metrics.csv; no case is in two folders.
        output: folder that gets metrics.csv, summary.json and boxplots.png.

    Raises:
        InputError: fewer than two folders, no evaluation in one, other labels or tolerances, or a
            case twice.
    """
    if len(folders) < 2:
        raise InputError("merge takes two folders of evaluations or more; give them all.")
    evaluations, owners = _read_alike(*folders), {}
    for folder, table in zip(folders, evaluations):
        for case in table["case"].unique():
            if case in owners:
                raise InputError(
                    f"case {case} is in {owners[case]} and in {folder}; merge evaluations of "
                    "different cases, such as one of each fold."
                )
            owners[case] = folder
    remarks = [read_remarks(folder) for folder in folders]
    tables.write_and_print(output, pd.concat(evaluations), join_remarks(remarks))


def compare(first: str, second: str) -> str:
    """Compares evaluations of the same cases: means, mean change and its p by Wilcoxon's test.

    The test of signed ranks is two-sided, over the cases in which both metrics are defined. Each
    organ and metric has its own test: of many p values some are small by chance. Cases of one
    evaluation alone are not compared, and a line names them.

    Args:
        first, second: folders of evaluations, each with its metrics.csv.

    Raises:
        InputError: no evaluation in one, other labels or tolerances, or no case in both.
    """
    before, after = _read_alike(first, second)
    sides = {"first": before.set_index(KEYS), "second": after.set_index(KEYS)}
    pairs = pd.concat(sides, axis=1, join="inner")
    if pairs.empty:
        raise InputError(f"{first} and {second} have no case in common; evaluate the same cases.")
    lines = [f"{'':28} {'':9} {'cases':>5} {'first':>8} {'second':>8} {'change':>8} {'p':>7}"]
    for name, rows in pairs.groupby("name", sort=False):
        for column in metric_columns(before):
            lines.append(f"{name:28} {_compare_pairs(column, rows.xs(column, axis=1, level=1))}")
    for folder, table, other in ((first, before, after), (second, after, before)):
        alone = table.loc[~table["case"].isin(other["case"]), "case"].unique()
        if len(alone):
            lines.append(f"not compared, in {folder} alone ({len(alone)}): {', '.join(alone)}")
        remarks = remark_lines(read_remarks(folder) | {"cases": table["case"].nunique()})
        lines += [f"{folder}: {line}" for line in remarks]
    return "\n".join(lines)


def _compare_pairs(column: str, pairs: pd.DataFrame) -> str:
    """Formats a line of `compare` from the rows in which `first` and `second` are both defined."""
    pairs = pairs.dropna()
    if pairs.empty:
        return f"{title(column):9} {0:5} {'-':>8} {'-':>8} {'-':>8} {'-':>7}"
    first, second = pairs["first"], pairs["second"]
    means = fmean(first), fmean(second)
    p = 1.0 if first.equals(second) else wilcoxon(first, second).pvalue
    shown = [mean_text(column, value) for value in (*means, means[1] - means[0])]
    return f"{title(column):9} {len(pairs):5} {' '.join(f'{t:>8}' for t in shown)} {p:7.3f}"


def _read_alike(*folders: str) -> list[pd.DataFrame]:
    """Reads the tables of evaluations, and checks that they have the same columns and labels.

    Raises:
        InputError: a column or a label is another.
    """
    evaluations = [tables.read_table(folder) for folder in folders]
    labels = [set(zip(table["label"], table["name"])) for table in evaluations]
    for folder, table, others in zip(folders, evaluations, labels):
        if list(table) != list(evaluations[0]):
            raise InputError(
                f"{folders[0]} and {folder} have other columns ({','.join(evaluations[0])} and "
                f"{','.join(table)}); evaluate both with the same --tolerances_mm."
            )
        if others != labels[0]:
            names = ", ".join(f"{label} {name}" for label, name in sorted(others ^ labels[0]))
            raise InputError(
                f"{folders[0]} and {folder} have other labels (one alone has {names}); evaluate "
                "both alike."
            )
    return evaluations


COMMANDS = {"merge": merge, "compare": compare}
