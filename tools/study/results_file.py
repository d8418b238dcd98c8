"""Writes a study's results.csv, and reads one that was kept, so that nothing is run again."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.atomic_write import explained, replacing
from common.errors import InputError

from .grid import Study
from .results import MADE_BY, SCORE, finite
from .steps import made_by


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes rows as a CSV file; its columns are those of all rows.

    Raises:
        InputError: the file cannot be written.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with explained(path), replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def with_known(study: Study, results: str | None) -> Study:
    """Returns the study with the results of a file that was kept, or as it is without a file.

    Raises:
        InputError: the file cannot be read, has a row twice or of no run of the study, or one that
            another command made.
    """
    if results is None:
        return study
    path = Path(results)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read; give the results.csv of a study.") from None
    factors, known = list(study.content["factors"]), []
    last = list(study.content["steps"])[-1]
    for line, row in enumerate(rows, start=2):
        run = {name: row.get(name) for name in factors}
        what = f"{path}, line {line}: "
        if run not in study.runs:
            raise InputError(f"{what}{run} is no run of {study.path}; delete the line.")
        if any(run.items() <= other.items() for other in known):
            raise InputError(f"{what}the run is there twice; delete one of the lines.")
        if row.get(MADE_BY) != made_by(study, study.job(last, run)):
            raise InputError(
                f"{what}the run was made by other commands than those of {study.path} today; "
                "delete the line, or give the configuration that made it."
            )
        try:
            known.append({n: _value(n, text, factors) for n, text in row.items()})
        except (TypeError, ValueError):
            raise InputError(f"{what}not every score is a finite number; mend the line.") from None
    return replace(study, known=tuple(known))


def _value(name: str | None, text: str, factors: list[str]) -> str | float | None:
    """Reads a cell: a number, None where it is empty, a text for factors and the digest."""
    if name in factors or name == MADE_BY:
        return text
    return finite(text) if text or name == SCORE else None
