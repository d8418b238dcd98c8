"""Summarizes selected series by collection and licence, and lists the sources to cite."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("series", "patients", "studies", "GB")


def report(series: "pd.DataFrame") -> str:
    """Reports series, patients, studies and GB (10^9 bytes) by collection, licence and in all."""
    blocks = [
        [("collection", *HEADINGS), *_rows(series, "collection_id")],
        [("licence", *HEADINGS), *_rows(series, "license_short_name")],
        [("all", *_counts(series))],
    ]
    rows = [row for block in blocks for row in block]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n\n".join("\n".join(_line(row, widths) for row in block) for block in blocks)


def sources_csv(series: "pd.DataFrame") -> str:
    """Renders the sources to cite as CSV: one line for each DOI and licence of a collection."""
    lines = ["collection,doi,licence,series,patients,gb"]
    columns = ["collection_id", "source_DOI", "license_short_name"]
    for (collection, doi, licence), group in series.groupby(columns):
        count, patients, gb = len(group), group["PatientID"].nunique(), _gb(group)
        lines.append(f'{collection},{doi},"{licence}",{count},{patients},{gb:.3f}')
    return "\n".join(lines) + "\n"


def _rows(series: "pd.DataFrame", column: str) -> list[tuple[str, ...]]:
    return [(name, *_counts(group)) for name, group in series.groupby(column)]


def _counts(series: "pd.DataFrame") -> tuple[str, ...]:
    patients = series.groupby(["collection_id", "PatientID"]).ngroups
    studies = series.groupby(["collection_id", "StudyInstanceUID"]).ngroups
    return f"{len(series):,}", f"{patients:,}", f"{studies:,}", f"{_gb(series):,.1f}"


def _gb(series: "pd.DataFrame") -> float:
    return series["series_size_MB"].sum() / 1000


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
    return "  ".join(cells)
