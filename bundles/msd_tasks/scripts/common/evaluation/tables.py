# generated from common/evaluation/tables.py, do not edit: `make copies`
"""The folder of an evaluation: `metrics.csv`, `summary.json` and `boxplots.png`."""

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
    """`nsd_1mm`, `nsd_0.5mm`."""
    return f"nsd_{tolerance_mm:g}mm"


def volume(millilitres: float) -> float:
    """Six digits, so that a single voxel never becomes nothing."""
    return float(f"{millilitres:.6g}")


def checked_tolerances(tolerances_mm: Sequence[float]) -> list[float]:
    """Ascending, each once.

    Raises:
        InputError: one is no number above 0.
    """
    given = tolerances_mm if isinstance(tolerances_mm, (list, tuple)) else [tolerances_mm]
    for value in given:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
            raise InputError(f"--tolerances_mm has {value!r}; it takes numbers above 0, as [1,2].")
    return sorted(set(given))


def write_and_print(folder: str | Path, rows: list[dict]) -> None:
    """Write the three files and print the table.

    The files replace older ones together, once all are complete. Without matplotlib there is no
    picture, not an old one either, and a line says so.

    Args:
        folder: is made where it does not exist.
        rows: one a case and organ, with the columns of the table; undefined figures are NaN.
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
    """A CSV of the rows; what is undefined (NaN) is empty."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value != value else value for name, value in row.items()})
    return text.getvalue()


def read_rows(folder: str) -> list[dict]:
    """The rows of an evaluation's `metrics.csv`, as they were written.

    Raises:
        InputError: there is none, or it is no such table.
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
        return [_as_written(row) for row in rows]
    except ValueError as error:
        raise InputError(f"{path} is not the table of an evaluation; {REMEDY}") from error


def _as_written(row: dict[str, str]) -> dict:
    if None in row or None in row.values():
        raise ValueError("a row is longer or shorter than the first line")
    texts = {"case": row["case"], "label": int(row["label"]), "name": row["name"]}
    numbers = {name: float(text or "nan") for name, text in row.items() if name not in texts}
    return texts | numbers
