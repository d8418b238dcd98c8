"""Merges the evaluations of several folds, and compares two evaluations of the same cases.

python -m scripts evaluation merge evaluation/fold0 evaluation/fold1 --output evaluation/all
python -m scripts evaluation compare evaluation/scratch evaluation/pretrained
"""

from statistics import fmean

from scipy.stats import wilcoxon

from ..errors import InputError
from . import tables
from .summary import mean_text, metric_columns, title


def merge(*folders: str, output: str) -> None:
    """Puts the cases of several evaluations into one: the table of a cross-validation.

    Args:
        folders: folders of evaluations, each with its metrics.csv; no case is in two folders.
        output: folder that gets metrics.csv, summary.json and boxplots.png.

    Raises:
        InputError: fewer than two folders, no evaluation in one, other labels or tolerances, or a
            case twice.
    """
    if len(folders) < 2:
        raise InputError("merge takes two folders of evaluations or more; give them all.")
    merged, owners = [], {}
    for folder in folders:
        rows = tables.read_rows(folder)
        if merged:
            _check_alike(merged, folders[0], rows, folder)
        for case in dict.fromkeys(row["case"] for row in rows):
            if case in owners:
                raise InputError(
                    f"case {case} is in {owners[case]} and in {folder}; merge evaluations of "
                    "different cases, such as one of each fold."
                )
            owners[case] = folder
        merged += rows
    tables.write_and_print(output, merged)


def compare(first: str, second: str) -> str:
    """Compares evaluations of the same cases: means, mean change and its p by Wilcoxon's test.

    The test of signed ranks is two-sided, over the cases in which both metrics are defined. Each
    organ and metric has its own test: of many p values some are small by chance.

    Args:
        first, second: folders of evaluations, each with its metrics.csv.

    Raises:
        InputError: no evaluation in one, other labels or tolerances, or no case in both.
    """
    evaluations = [tables.read_rows(folder) for folder in (first, second)]
    _check_alike(evaluations[0], first, evaluations[1], second)
    before, after = ({(row["case"], row["name"]): row for row in rows} for rows in evaluations)
    if not before.keys() & after.keys():
        raise InputError(f"{first} and {second} have no case in common; evaluate the same cases.")
    lines = [f"{'':28} {'':9} {'cases':>5} {'first':>8} {'second':>8} {'change':>8} {'p':>7}"]
    for name in dict.fromkeys(row["name"] for row in evaluations[0]):
        keys = [key for key in before if key[1] == name and key in after]
        for column in metric_columns(evaluations[0][0]):
            values = [(before[key][column], after[key][column]) for key in keys]
            lines.append(f"{name:28} {_compare_pairs(column, values)}")
    return "\n".join(lines)


def _compare_pairs(column: str, values: list[tuple[float, float]]) -> str:
    """Formats a line of `compare` from the pairs of values in which both are defined."""
    defined = [(a, b) for a, b in values if a == a and b == b]
    if not defined:
        return f"{title(column):9} {0:5} {'-':>8} {'-':>8} {'-':>8} {'-':>7}"
    first, second = zip(*defined)
    means = fmean(first), fmean(second)
    p = wilcoxon(first, second).pvalue if first != second else 1.0
    shown = [mean_text(column, value) for value in (*means, means[1] - means[0])]
    return f"{title(column):9} {len(defined):5} {' '.join(f'{t:>8}' for t in shown)} {p:7.3f}"


def _check_alike(rows: list[dict], folder: str, others: list[dict], other_folder: str) -> None:
    """Checks that two tables have the same columns and labels.

    Raises:
        InputError: a column or a label is another.
    """
    if list(rows[0]) != list(others[0]):
        raise InputError(
            f"{folder} and {other_folder} have other columns ({','.join(rows[0])} and "
            f"{','.join(others[0])}); evaluate both with the same --tolerances_mm."
        )
    labels, other_labels = (
        dict.fromkeys((row["label"], row["name"]) for row in table) for table in (rows, others)
    )
    if labels != other_labels:
        raise InputError(f"{folder} and {other_folder} have other labels; evaluate both alike.")


COMMANDS = {"merge": merge, "compare": compare}
