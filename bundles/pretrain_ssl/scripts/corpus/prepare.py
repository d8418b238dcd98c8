"""Prepares a corpus: scans an archive, prepares its volumes, and writes the tables."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from distributed import Client
from tqdm import tqdm

from ..common.atomic_write import write_text
from ..common.cli.kinds import Count, Fraction, Positive, Seed
from ..common.data import walk
from ..common.data.dicom import spread
from ..common.errors import InputError
from . import dask_cluster, prepare_volume, records, report_page, tables
from .destination import check_settings, keep_settings, lock, read_patients, remove_leftovers
from .records import Settings


def prepare(
    source: str,
    destination: str,
    *,
    patients: str | None = None,
    workers: Count | None = None,
    scheduler: str | None = None,
    validation_fraction: Fraction = 0.05,
    seed: Seed = 0,
    spacing_mm: Positive = 1.5,
    body_above_hu: float = -500,
) -> str:
    """Prepares a corpus for pre-training from an archive of CTs; finished volumes are kept.

    Args:
        source: a folder with NIfTI files and DICOM series in any order; only read.
        destination: a folder for `volumes/`, `datalist.json`, `report.html`, and in `private/` the
            tables `accepted.csv` and `rejected.csv`, which name sources and patients.
        patients: CSV with the columns `source` (path of a file or folder, relative to SOURCE) and
            `patient`, where folders and DICOM tags do not tell who is who.
        workers: processes on this machine; by default one for each core.
        scheduler: address or scheduler file of a Dask cluster that does the work instead.
        validation_fraction: share of the patients whose volumes validate, 0 to 1.
        seed: of the split into training and validation.
        spacing_mm: of the prepared volumes; the pre-training's `spacing_mm`.
        body_above_hu: denser voxels are body, to which volumes are cropped.

    Returns:
        How many volumes and files were accepted and rejected, in words.

    Raises:
        InputError: an argument cannot be used.
    """
    settings = check_settings(source, destination, spacing_mm, body_above_hu)
    patient_table = read_patients(patients) if patients else {}
    folders = [f for f in walk.list_folders(settings.source) if f.files or f.left_out]
    if not folders:
        raise InputError(f"{source} holds no file; give SOURCE the folder of the archive.")
    with lock(Path(destination)) as is_locked:
        keep_settings(Path(destination), settings)
        remove_leftovers(Path(destination), is_locked)
        with dask_cluster.connect(workers or os.cpu_count(), scheduler) as client:
            scans = _scan_folders(client, destination, settings, folders)
            images = group_images(scans, destination, settings)
            volumes = _prepare_volumes(client, destination, settings, images)
        table = tables.collect(volumes, scans, patient_table)
        tables.write(Path(destination), table, validation_fraction, seed)
        write_text(Path(destination, "report.html"), report_page.render(Path(destination), table))
    return summarize(table)


def _scan_folders(
    client: Client, destination: str, settings: Settings, folders: list[walk.Folder]
) -> list[dict]:
    """Scans every folder of the source; returns the scans in the order of the folders' names."""
    scans = []
    left_out = {folder.path: folder.left_out for folder in folders}
    with tqdm(total=len(folders), desc="scan", unit="folder") as bar:
        tasks, arguments = ((each.path, each.files) for each in folders), (destination, settings)
        for (folder, _), scan in dask_cluster.run_tasks(
            client, prepare_volume.scan, tasks, arguments
        ):
            if isinstance(scan, BaseException):
                raise InputError(f"folder {folder} cannot be scanned: {scan}") from scan
            rejected = [*scan["rejected"], *left_out[folder]]
            scans.append({**scan, "rejected": rejected})
            bar.update()
    return sorted(scans, key=lambda scan: scan["folder"])


def _prepare_volumes(
    client: Client, destination: str, settings: Settings, images: list[dict]
) -> list[dict]:
    """Prepares a volume of every image; returns the records in the order of their sources."""
    rows = []
    with tqdm(total=len(images), desc="prepare", unit="volume") as bar:
        tasks, arguments = ((image,) for image in images), (destination, settings)
        for (image,), record in dask_cluster.run_tasks(
            client, prepare_volume.prepare, tasks, arguments
        ):
            if isinstance(record, BaseException):
                kind, detail = dask_cluster.describe_failure(record)
                source = image.get("path") or prepare_volume.join_folders(image["folders"])
                record = {"source": source, "series": "", "patient": "", "files": image["files"]}
                record |= {"copies": None, "kind": kind, "detail": detail}
            if "histogram" in record:  # lists of numbers would fill the memory of a large corpus
                record["histogram"] = np.array(record["histogram"])
            rows.append((record["source"], image["name"], record))
            bar.update()
    return [record for *_, record in sorted(rows, key=lambda row: row[:2])]


def summarize(table: tables.Table) -> str:
    """Returns, in one sentence, how many volumes and files were accepted and rejected."""
    rejected = sum(row["files"] for row in table.rejected)
    accepted = sum(row["files"] for row in table.accepted)
    unfinished = sum(row["kind"] == dask_cluster.NOT_FINISHED for row in table.rejected)
    return (
        f"{len(table.accepted)} volumes of {len(table.patients)} patients accepted "
        f"({accepted} files), {len(table.rejected)} rejected ({rejected} files), "
        f"{table.others} files are no images"
        + (f"; {unfinished} could not be finished: start again for these" if unfinished else "")
    )


def group_images(scans: Iterable[dict], destination: str, settings: Settings) -> list[dict]:
    """Groups the files of scanned folders into images: DICOM series and NIfTI files.

    Args:
        scans: of `prepare_volume.scan`. The slices of a series may lie in several folders.
        destination: the corpus' folder.
        settings: see `Settings`.

    Returns:
        Of every image its `name`, the number of its `files`, and the `key`, `folders` and `repairs`
        of a series or the `path` of a NIfTI file, relative to the source.
    """
    counts, niftis = defaultdict(dict), []
    for scan in scans:
        for key, count in scan["series"].items():
            counts[key][scan["folder"]] = count
        for name, count in scan["niftis"].items():
            path = os.path.join(scan["folder"], name)
            niftis.append({"path": path, "name": path, "files": count})
    series = []
    for key, count_by_folder in counts.items():
        folders = list(count_by_folder)
        obstacle = None
        if len(folders) > 1:
            obstacle = spread.find_obstacle(
                records.list_series_files(destination, settings, folder, key) for folder in folders
            )
        repairs = [f"not put together with {len(folders) - 1} other folders of its UID: {obstacle}"]
        for group in [[folder] for folder in folders] if obstacle else [folders]:
            files = sum(count_by_folder[folder] for folder in group)
            name = json.dumps([key, group])
            image = {"key": key, "name": name, "folders": group, "files": files}
            series.append({**image, "repairs": repairs if obstacle else []})
    return [*series, *niftis]
