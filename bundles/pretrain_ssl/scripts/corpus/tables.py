"""Writes a corpus' tables of accepted and rejected volumes, and splits patients."""

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
from ..common.data.formats import stem_of

logger = logging.getLogger(__name__)

ACCEPTED = (
    *("id", "source", "series", "files", "patient", "shape", "spacing_mm", "orientation"),
    *("prepared_shape", "hu_min", "hu_max", "body_fraction", "repairs"),
)
REJECTED = ("source", "series", "files", "reason")


@dataclass(frozen=True)
class Table:
    """Accounts for all of a source's files.

    Args:
        accepted: records of volumes, each with its `patient`.
        rejected: `source`, `series`, `files`, `kind` and `detail` of files that are no
            part of the corpus.
        others: how many files are no images.
    """

    accepted: list[dict]
    rejected: list[dict]
    others: int

    @property
    def patients(self) -> list[str]:
        """Lists every patient once, sorted."""
        return sorted({record["patient"] for record in self.accepted})


def collect(records: Sequence[dict], scans: Sequence[dict], patients: Mapping) -> Table:
    """Collects the table of accepted and rejected volumes and files.

    Of volumes with the same voxels the first by its source is accepted.

    Args:
        records: of volumes, in the order of their sources.
        scans: of the source's folders, with the files rejected there.
        patients: by path relative to the source; overrides DICOM's tag and folders' names.
    """
    accepted, rejected, sources = [], [], {}
    for scan in scans:
        for name, kind, detail in scan["rejected"]:
            path = os.path.join(scan["folder"], name)
            rejected.append(_rejected_row(path, 1 if name else 0, kind, detail))
    for record in records:
        if record["copies"]:
            folders, count = record["copies"]
            rejected.append(_rejected_row(folders, count, "copy", f"of {record['source']}"))
        if "kind" in record:
            rejected.append(record)
        elif record["voxels"] in sources:
            detail = f"of {sources[record['voxels']]}"
            rejected.append({**record, "kind": "copy", "detail": detail})
        else:
            sources[record["voxels"]] = record["source"]
            accepted.append({**record, "patient": find_patient(record, patients)})
    unused = sorted(set(patients) - {find_table_path(record, patients) for record in records})
    if unused:
        logger.warning(f"--patients names what is no image or folder of one: {', '.join(unused)}")
    rejected.sort(key=lambda row: (row["source"], row["series"], row["kind"]))
    return Table(accepted, rejected, sum(scan["others"] for scan in scans))


def _rejected_row(source: str, files: int, kind: str, detail: str) -> dict:
    return {"source": source, "series": "", "files": files, "kind": kind, "detail": detail}


def _source_path(record: dict) -> Path:
    """Returns a record's file, or the first of the folders over which its series is spread."""
    return Path(record["source"].split(" + ")[0])


def find_table_path(record: dict, patients: Mapping[str, str]) -> str | None:
    """Finds a record's file, or the innermost folder around that file, among the table's paths."""
    path = _source_path(record)
    return next((str(each) for each in (path, *path.parents) if str(each) in patients), None)


def find_patient(record: dict, patients: Mapping[str, str]) -> str:
    """Finds the patient: in the table, DICOM's tag, the top folder's or the file's name."""
    path = _source_path(record)
    if table_path := find_table_path(record, patients):
        return patients[table_path]
    if record["patient"]:
        return record["patient"]
    if record["series"]:
        return path.parts[0] if path.parts else record["series"]
    return path.parts[0] if len(path.parts) > 1 else stem_of(path.name)


def split(patients: Sequence[str], fraction: float, seed: int) -> set[str]:
    """Selects the patients that validate: at least one, not all.

    The order is by a seeded hash, so that the split changes little when patients are added.
    """

    def rank(patient: str) -> str:
        return hashlib.sha256(f"{seed}:{patient}".encode(errors="surrogateescape")).hexdigest()

    count = min(max(1, round(fraction * len(patients))), len(patients) - 1)
    return set(sorted(patients, key=rank)[: max(0, count)])


def write(destination: Path, table: Table, fraction: float, seed: int) -> None:
    """Writes both tables and the datalist, and removes volumes whose source is gone."""
    rejected = [
        {**row, "reason": ": ".join(filter(None, (row["kind"], row["detail"])))}
        for row in table.rejected
    ]
    write_text(destination / "private" / "accepted.csv", _csv(ACCEPTED, table.accepted))
    write_text(destination / "private" / "rejected.csv", _csv(REJECTED, rejected))
    validation_patients = split(table.patients, fraction, seed)
    sections = {"training": [], "validation": []}
    for record in sorted(table.accepted, key=lambda record: record["id"]):
        section = "validation" if record["patient"] in validation_patients else "training"
        sections[section].append({"image": f"volumes/{record['id']}.nii"})
    write_text(destination / "datalist.json", json.dumps(sections, indent=1) + "\n")
    names = {f"{record['id']}.nii" for record in table.accepted}
    for path in sorted(Path(destination, "volumes").glob("*.nii")):
        if path.name not in names:
            logger.warning(f"{path.name} is removed: its source is gone, or is a copy of another")
            path.unlink()


def _csv(columns: Sequence[str], rows: Sequence[dict]) -> str:
    """Renders CSV; lists are joined, and bytes of a name that are no Unicode are escaped."""
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
