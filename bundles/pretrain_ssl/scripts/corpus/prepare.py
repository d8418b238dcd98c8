"""`corpus.py prepare`: scan an archive, prepare its volumes, and draw up the tables."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from distributed import Client
from tqdm import tqdm

from ..common.atomic_write import write_text
from ..common.errors import InputError
from . import dask_cluster, list_files, prepare_volume, report_page, tables
from .destination import checked, keep_settings, locked, read_patients, remove_leftovers
from .records import Settings


def prepare(
    source: str,
    destination: str,
    *,
    patients: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    validation_fraction: float = 0.05,
    seed: int = 0,
    spacing_mm: float = 1.5,
    body_above_hu: float = -500,
) -> str:
    """Make a corpus for pre-training of an archive of CTs; what is finished is never done again.

    Args:
        source: a folder with NIfTI files and DICOM series in any order; only read.
        destination: a folder for `volumes/`, `datalist.json`, `report.html`, and in `private/` the
            tables `accepted.csv` and `rejected.csv`, which name sources and patients.
        patients: CSV with the columns `source` (path of a file or folder, relative to SOURCE) and
            `patient`, where folders and DICOM tags do not tell who is who.
        workers: processes on this machine; as many as it has cores unless given.
        scheduler: address or scheduler file of a Dask cluster that does the work instead.
        validation_fraction: share of the patients whose volumes validate, 0 to 1.
        seed: of that division.
        spacing_mm: of the prepared volumes; the pre-training's `spacing_mm`.
        body_above_hu: what is denser is body, to which volumes are cropped.

    Returns:
        What became of the source's files.

    Raises:
        InputError: for one of these that cannot be used.
    """
    settings = checked(source, destination, workers, validation_fraction, spacing_mm, body_above_hu)
    names = read_patients(patients) if patients else {}
    folders = [task for task in list_files.folders(Path(source)) if task[1]]
    if not folders:
        raise InputError(f"{source} holds no file; give SOURCE the folder of the archive.")
    Path(destination).mkdir(parents=True, exist_ok=True)
    with locked(Path(destination)):
        keep_settings(Path(destination), settings)
        remove_leftovers(Path(destination))
        with dask_cluster.cluster(workers or os.cpu_count(), scheduler) as client:
            found = _scanned(client, destination, settings, folders)
            records = _prepared(client, destination, settings, found)
        table = tables.collect(records, found, names)
        tables.write(Path(destination), table, validation_fraction, seed)
        write_text(Path(destination, "report.html"), report_page.page(Path(destination), table))
    return summary(table)


def _scanned(
    client: Client, destination: str, settings: Settings, folders: list[tuple]
) -> list[dict]:
    """What every folder of the source holds, in the order of their names."""
    found = []
    with tqdm(total=len(folders), desc="scan", unit="folder") as bar:
        arguments = (destination, settings)
        for task, result in dask_cluster.results(client, prepare_volume.scan, folders, arguments):
            if isinstance(result, BaseException):
                raise InputError(f"folder {task[0]} cannot be scanned: {result}") from result
            found.append(result)
            bar.update()
    return sorted(found, key=lambda item: item["folder"])


def _prepared(
    client: Client, destination: str, settings: Settings, folders: list[dict]
) -> list[dict]:
    """Records of all volumes, in the order of their sources."""
    waiting, records = units_of(folders), []
    with tqdm(total=len(waiting), desc="prepare", unit="volume") as bar:
        tasks, arguments = ((unit,) for unit in waiting), (destination, settings)
        for (unit,), result in dask_cluster.results(
            client, prepare_volume.prepare, tasks, arguments
        ):
            if isinstance(result, BaseException):
                kind, detail = dask_cluster.reason(result)
                where = unit.get("path") or prepare_volume.source_of(unit["folders"])
                result = {"source": where, "series": "", "patient": "", "files": unit["files"]}
                result |= {"copies": None, "kind": kind, "detail": detail}
            if "histogram" in result:  # lists of numbers would fill the memory of a large corpus
                result["histogram"] = np.array(result["histogram"])
            records.append((result["source"], unit["name"], result))
            bar.update()
    return [record for *_, record in sorted(records, key=lambda row: row[:2])]


def summary(table: tables.Table) -> str:
    """What a person reads when the work is done."""
    rejected = sum(row["files"] for row in table.rejected)
    accepted = sum(row["files"] for row in table.accepted)
    unfinished = sum(row["kind"] == dask_cluster.NOT_FINISHED for row in table.rejected)
    return (
        f"{len(table.accepted)} volumes of {len(table.patients)} patients accepted "
        f"({accepted} files), {len(table.rejected)} rejected ({rejected} files), "
        f"{table.others} files are no images"
        + (f"; {unfinished} could not be finished: start again for these" if unfinished else "")
    )


def units_of(folders: Iterable[dict]) -> list[dict]:
    """Series, whose slices may lie in several folders, and NIfTI files."""
    series, files = {}, []
    for item in folders:
        for key, count in item["series"].items():
            unit = series.setdefault(key, {"key": key, "name": key, "folders": [], "files": 0})
            unit["folders"].append(item["folder"])
            unit["files"] += count
        for name, count in item["niftis"].items():
            path = os.path.join(item["folder"], name)
            files.append({"path": path, "name": path, "files": count})
    return [*series.values(), *files]
