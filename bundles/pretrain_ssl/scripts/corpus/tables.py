"""Tables of a corpus: what went in, what did not and why, and who trains and who validates."""

import csv
import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.atomic_write import write_text

logger = logging.getLogger(__name__)

ACCEPTED = (
    *("id", "source", "series", "files", "patient", "shape", "spacing_mm", "orientation"),
    *("prepared_shape", "hu_min", "hu_max", "body_fraction", "repairs"),
)
REJECTED = ("source", "series", "files", "reason")


@dataclass(frozen=True)
class Table:
    """All of a source's files.

    Args:
        accepted: records of volumes, each with its `patient`.
        rejected: `source`, `series`, `files`, `kind` and `detail` of what is no part of the corpus.
        others: how many files are no images.
    """

    accepted: list[dict]
    rejected: list[dict]
    others: int

    @property
    def patients(self) -> list[str]:
        """Every patient once, sorted."""
        return sorted({record["patient"] for record in self.accepted})


def collect(records: Sequence[dict], folders: Sequence[dict], patients: Mapping) -> Table:
    """The table of what was scanned and prepared.

    Of volumes with the same voxels the first by its source is accepted.

    Args:
        records: of volumes, in the order of their sources.
        folders: what was scanned, with the files rejected there.
        patients: by path relative to the source; comes before DICOM's tag and folders' names.
    """
    accepted, rejected, first = [], [], {}
    for folder in folders:
        for name, kind, detail in folder["rejected"]:
            path = os.path.join(folder["folder"], name)
            rejected.append(_rejection(path, 1 if name else 0, kind, detail))
    for record in records:
        if record["copies"]:
            where, count = record["copies"]
            rejected.append(_rejection(where, count, "copy", f"of {record['source']}"))
        if "kind" in record:
            rejected.append(record)
        elif record["voxels"] in first:
            detail = f"of {first[record['voxels']]}"
            rejected.append({**record, "kind": "copy", "detail": detail})
        else:
            first[record["voxels"]] = record["source"]
            accepted.append({**record, "patient": patient_of(record, patients)})
    unused = sorted(set(patients) - {named_place(record, patients) for record in records})
    if unused:
        logger.warning(f"--patients names what is no image or folder of one: {', '.join(unused)}")
    rejected.sort(key=lambda row: (row["source"], row["series"], row["kind"]))
    return Table(accepted, rejected, sum(folder["others"] for folder in folders))


def _rejection(source: str, files: int, kind: str, detail: str) -> dict:
    return {"source": source, "series": "", "files": files, "kind": kind, "detail": detail}


def _first_place(record: dict) -> Path:
    """The file, or the first of the folders over which a series is spread."""
    return Path(record["source"].split(" + ")[0])


def named_place(record: dict, patients: Mapping[str, str]) -> str | None:
    """The file, or the innermost folder around it, that the given table names."""
    path = _first_place(record)
    return next((str(place) for place in (path, *path.parents) if str(place) in patients), None)


def patient_of(record: dict, patients: Mapping[str, str]) -> str:
    """Who it is: from the given table, DICOM's tag, the top folder, or the file's own name."""
    path = _first_place(record)
    if named := named_place(record, patients):
        return patients[named]
    if record["patient"]:
        return record["patient"]
    if record["series"]:
        return path.parts[0] if path.parts else record["series"]
    return path.parts[0] if len(path.parts) > 1 else path.name.split(".nii")[0]


def split(patients: Sequence[str], fraction: float, seed: int) -> set[str]:
    """The patients that validate: at least one, not all, nearly the same when others join."""

    def place(patient: str) -> str:
        return hashlib.sha256(f"{seed}:{patient}".encode(errors="surrogateescape")).hexdigest()

    count = min(max(1, round(fraction * len(patients))), len(patients) - 1)
    return set(sorted(patients, key=place)[: max(0, count)])


def write(destination: Path, table: Table, fraction: float, seed: int) -> None:
    """Both tables and the datalist; volumes that no longer have a source are removed."""
    rejected = [
        {**row, "reason": ": ".join(filter(None, (row["kind"], row["detail"])))}
        for row in table.rejected
    ]
    write_text(destination / "private" / "accepted.csv", _csv(ACCEPTED, table.accepted))
    write_text(destination / "private" / "rejected.csv", _csv(REJECTED, rejected))
    validating = split(table.patients, fraction, seed)
    parts = {"training": [], "validation": []}
    for record in sorted(table.accepted, key=lambda record: record["id"]):
        part = "validation" if record["patient"] in validating else "training"
        parts[part].append({"image": f"volumes/{record['id']}.nii"})
    write_text(destination / "datalist.json", json.dumps(parts, indent=1) + "\n")
    kept = {f"{record['id']}.nii" for record in table.accepted}
    for path in sorted(Path(destination, "volumes").glob("*.nii")):
        if path.name not in kept:
            logger.warning(f"{path.name} is removed: its source is gone, or is a copy of another")
            path.unlink()


def _csv(columns: Sequence[str], rows: Sequence[dict]) -> str:
    """CSV text; lists are joined, and what is no Unicode in a name is escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in columns])
    return text.getvalue().encode(errors="backslashreplace").decode()


def _cell(name: str, value) -> str:
    if not isinstance(value, list):
        return str(value)
    return ("; " if name == "repairs" else " x ").join(map(str, value))
