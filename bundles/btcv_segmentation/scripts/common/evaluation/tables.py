# generated from common/evaluation/tables.py, do not edit: `make copies`
"""Writes and reads the folder of an evaluation: `metrics.csv`, `summary.json`, `boxplots.png`."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from ..atomic_write import replacing
from ..errors import InputError
from .boxplots import boxplots
from .remarks import Remarks, join_remarks, remark_lines
from .summary import lines, metric_columns, summarise

FIRST, LAST = ["case", "label", "name", "dice"], ["hd95_mm", "volume_ml", "reference_volume_ml"]
REMEDY = "give folders as configs/evaluate.json wrote them, not saved by another program."


def nsd_column(tolerance_mm: float) -> str:
    """Names the column of a tolerance: `nsd_1mm`, `nsd_0.5mm`."""
    return f"nsd_{tolerance_mm:g}mm"


def volume(millilitres: float) -> float:
    """Rounds a volume in ml to six digits, so that a single voxel never becomes 0."""
    return float(f"{millilitres:.6g}")


def name_cases(paths: Sequence[str]) -> dict[str, str]:
    """Names each path by its file, where names repeat by the path below the common folder."""
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        names = [os.path.relpath(path, os.path.commonpath(paths)) for path in paths]
    return dict(zip(paths, names))


def check_tolerances(tolerances_mm: Sequence[float]) -> list[float]:
    """Checks tolerances in mm, and sorts them: `[2, 1, 1]` becomes `[1, 2]`.

    Raises:
        InputError: a tolerance is no number above 0.
    """
    values = tolerances_mm if isinstance(tolerances_mm, (list, tuple)) else [tolerances_mm]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
            raise InputError(f"--tolerances_mm has {value!r}; it takes numbers above 0, as [1,2].")
    return sorted({nsd_column(value): value for value in values}.values())


def merge_processes(rows: list[list[dict]]) -> pd.DataFrame:
    """Merges the rows of all processes, in the order in which one process would have them.

    Args:
        rows: those of each process, which took the cases in turns; a case that was given to two, so
            that each had as many, is kept once.
    """
    parts = [pd.DataFrame(part) for part in rows]
    for part in parts:
        part.index = part.groupby("case", sort=False).ngroup()
    return pd.concat(parts).sort_index(kind="stable").drop_duplicates(["case", "label"])


def write_and_print(
    folder: str | Path, table: pd.DataFrame, remarks: Remarks | None = None
) -> None:
    """Writes the three files and prints the means.

    The files replace older ones together, once all are complete. Without matplotlib there is no
    picture, an old one is removed, and a line says so. Where the files cannot be written, all of
    metrics.csv is printed, so that hours of work are not lost.

    Args:
        folder: is created if missing.
        table: a row for each case and organ; undefined metrics are NaN.
        remarks: on cases that failed or were trained on; None: nothing is known of them.

    Raises:
        InputError: the folder cannot be written.
    """
    summary = summarise(table) | (remarks or join_remarks([]))
    metrics = table.to_csv(index=False, lineterminator="\r\n")
    try:
        picture = boxplots(table)
        text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
        _replace_files(folder, metrics.encode(), text.encode(), picture)
    except Exception as error:
        print(metrics)
        cause = error.__cause__ or error
        if not isinstance(cause, OSError):
            raise
        raise InputError(
            f"{folder} cannot be written ({cause.strerror or cause}); the table of all cases is "
            "printed instead: save it as metrics.csv."
        ) from error
    finally:
        print("\n".join([*lines(summary), *remark_lines(summary)]))
    if picture is None:
        print("boxplots.png is left out: matplotlib is not installed (pip install matplotlib)")


def _replace_files(
    folder: str | Path, metrics: bytes, summary: bytes, picture: bytes | None
) -> None:
    """Replaces the three files together; without a picture an old one is removed."""
    contents = {"metrics.csv": metrics, "summary.json": summary, "boxplots.png": picture}
    with ExitStack() as files:
        for name, content in contents.items():
            if content is not None:
                files.enter_context(replacing(Path(folder, name))).write_bytes(content)
    if picture is None:
        Path(folder, "boxplots.png").unlink(missing_ok=True)


def read_table(folder: str | Path) -> pd.DataFrame:
    """Reads an evaluation's `metrics.csv`, with the types and numbers that were written.

    Raises:
        InputError: the file is missing, or is no such table, whole and with possible values.
    """
    path = Path(folder, "metrics.csv")
    if not path.is_file():
        raise InputError(f"{folder} has no metrics.csv; {REMEDY}")
    try:
        return _parse(pd.read_csv(path, dtype=str, keep_default_na=False))
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"{path} is not the table of an evaluation ({reason}); {REMEDY}"
        ) from error


def _parse(texts: pd.DataFrame) -> pd.DataFrame:
    """Turns the texts of a table into numbers, an empty one into NaN, and checks them.

    Raises:
        ValueError: with the reason: another column; a number that is none or is impossible; a case
            that does not have each label once.
    """
    metrics = metric_columns(texts)
    if list(texts) != [*FIRST, *metrics[1:-1], *LAST]:
        raise ValueError(f"its first line is {','.join(texts)}")
    if texts.empty or not isinstance(texts.index, pd.RangeIndex):
        raise ValueError("it has no rows, or longer ones than its first line")
    numbers = texts.drop(columns=FIRST[:3]).replace("", "nan").astype(float)
    table = texts[FIRST[:3]].astype({"label": int}).join(numbers)
    for column, values in numbers.items():
        is_possible = values.between(0, 1 if column in metrics[:-1] else 1e9)
        wrong = values[~is_possible & (values.notna() if column in metrics else True)]
        if len(wrong):
            raise ValueError(f"line {wrong.index[0] + 2} has {column} {wrong.iloc[0]:g}")
    counts = pd.crosstab(table["case"], [table["label"], table["name"]]).stack([0, 1])
    for (case, label, name), count in counts[counts != 1].items():
        raise ValueError(f"case {case} has {count} rows of label {label}, {name}, instead of one")
    return table
