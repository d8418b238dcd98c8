# generated from common/evaluation/tables.py, do not edit: `make copies`
"""Writes and reads the folder of an evaluation: `metrics.csv`, `summary.json`, `boxplots.png`."""

import csv
import json
from collections.abc import Sequence
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

from ..atomic_write import replacing
from ..errors import InputError
from .boxplots import boxplots
from .summary import lines, metric_columns, summarised

FIRST, LAST = ["case", "label", "name", "dice"], ["hd95_mm", "volume_ml", "reference_volume_ml"]
REMEDY = "give folders that configs/evaluate.json wrote."


def nsd_column(tolerance_mm: float) -> str:
    """Names the column of a tolerance: `nsd_1mm`, `nsd_0.5mm`."""
    return f"nsd_{tolerance_mm:g}mm"


def volume(millilitres: float) -> float:
    """Rounds a volume in ml to six digits, so that a single voxel never becomes 0."""
    return float(f"{millilitres:.6g}")


def check_tolerances(tolerances_mm: Sequence[float]) -> list[float]:
    """Checks tolerances in mm, and sorts them: `[2, 1, 1]` becomes `[1, 2]`.

    Raises:
        InputError: a tolerance is no number above 0.
    """
    values = tolerances_mm if isinstance(tolerances_mm, (list, tuple)) else [tolerances_mm]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
            raise InputError(f"--tolerances_mm has {value!r}; it takes numbers above 0, as [1,2].")
    return sorted(set(values))


def write_and_print(folder: str | Path, rows: list[dict]) -> None:
    """Writes the three files and prints the table.

    The files replace older ones together, once all are complete. Without matplotlib there is no
    picture, an old one is removed, and a line says so.

    Args:
        folder: is created if missing.
        rows: one a case and organ, with the columns of the table; undefined metrics are NaN.
    """
    summary = summarised(rows)
    contents = {
        "metrics.csv": table(rows).encode(),
        "summary.json": (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode(),
        "boxplots.png": boxplots(rows),
    }
    with ExitStack() as files:
        for name, content in contents.items():
            if content is not None:
                files.enter_context(replacing(Path(folder, name))).write_bytes(content)
    print("\n".join(lines(summary)))
    if contents["boxplots.png"] is None:
        Path(folder, "boxplots.png").unlink(missing_ok=True)
        print("boxplots.png is left out: matplotlib is not installed (pip install matplotlib)")


def table(rows: list[dict]) -> str:
    """Formats rows as CSV; an undefined value (NaN) is empty."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value != value else value for name, value in row.items()})
    return text.getvalue()


def read_rows(folder: str) -> list[dict]:
    """Reads the rows of an evaluation's `metrics.csv`, with the types that were written.

    Raises:
        InputError: the file is missing, or is no such table.
    """
    path = Path(folder, "metrics.csv")
    if not path.is_file():
        raise InputError(f"{folder} has no metrics.csv; {REMEDY}")
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or []
        if not rows or columns != [*FIRST, *metric_columns(columns)[1:-1], *LAST]:
            raise ValueError
        return [_parse_row(row) for row in rows]
    except ValueError as error:
        raise InputError(f"{path} is not the table of an evaluation; {REMEDY}") from error


def _parse_row(row: dict[str, str]) -> dict:
    """Turns the texts of a row into numbers; an empty one is NaN."""
    if None in row or None in row.values():
        raise ValueError("a row is longer or shorter than the first line")
    texts = {"case": row["case"], "label": int(row["label"]), "name": row["name"]}
    numbers = {name: float(text or "nan") for name, text in row.items() if name not in texts}
    return texts | numbers
