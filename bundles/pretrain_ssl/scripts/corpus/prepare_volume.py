"""The units of a corpus' work: a folder to scan, a series or NIfTI file to prepare.

Each leaves a record, written whole or not at all, by which a preparation that was killed goes on:
what has a record and has not changed is not done again. Only the record is returned, never voxels,
so that the work can be anywhere.
"""

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from ..common.atomic_write import replacing, write_text
from ..common.data.dicom import find_series, read
from ..common.data.dicom.volume import RejectedError, Volume
from ..common.errors import InputError
from . import list_files, quality_checks, read_nifti, records, resample
from .records import Settings

HISTOGRAM_HU = (-1024, 1536)
HISTOGRAM_BINS = 80
ID_LENGTH = 16  # hexadecimal digits: 64 bits tell a million volumes apart, and names stay short


def scan(destination: str, settings: Settings, folder: str, names: list[str] | str) -> dict:
    """What a folder of the source holds, from its record where nothing has changed.

    Returns:
        `folder`, and what `find_series.scan` gives, of `series` the number of slices alone.
    """
    path = records.record_path(destination, "scan", folder)
    source = Path(settings.source)
    signature = list_files.listing(source / folder, names)
    found = records.read_record(path, signature)
    if found is None:
        found = {
            "signature": signature,
            "folder": folder,
            **find_series.scan(source, folder, names),
        }
        _guarded(write_text, path, json.dumps(found))
    return {**found, "series": {key: len(slices) for key, slices in found["series"].items()}}


def prepare(destination: str, settings: Settings, unit: dict) -> dict:
    """One volume: written to `volumes/` or rejected; the record says which.

    Args:
        destination: the corpus' folder.
        settings: see `Settings`.
        unit: `key` and `folders` of a series, or `path` of a NIfTI file, relative to the source.

    Raises:
        InputError: the destination cannot be written.
    """
    torch.set_num_threads(1)  # Dask counts on one
    files = records.files_of(destination, settings, unit)
    signature = records.signature_of(settings, files)
    path = records.record_path(destination, "volumes", unit["name"])
    record = records.read_record(path, signature)
    if record and ("id" not in record or records.is_whole(destination, record)):
        return record
    record = {"signature": signature, **_described(unit, files)}
    try:
        volume, facts = _prepared(settings, unit, files)
    except RejectedError as reason:
        record |= {"kind": reason.kind, "detail": reason.detail}
    else:
        record |= facts
        _write(volume, records.volume_path(destination, record["id"]))
    _guarded(write_text, path, json.dumps(record))
    return record


def source_of(folders: list[str]) -> str:
    """How the tables name where a series lies."""
    return " + ".join(folder or "." for folder in folders)


def _described(unit: dict, files: list[dict]) -> dict:
    """What the tables say of the unit, whatever becomes of it."""
    header = next((item for item in files if "uid" in item), {})
    kept, copies = (
        [str(Path(item["name"]).parent) for item in files if item.get("is_copy", False) is is_copy]
        for is_copy in (False, True)
    )
    return {
        "source": unit.get("path") or source_of(sorted(set(kept))),
        "series": header.get("uid") or "",
        "patient": header.get("patient") or "",
        "files": unit["files"] - len(copies),
        "copies": [source_of(sorted(set(copies))), len(copies)] if copies else None,
    }


def _prepared(settings: Settings, unit: dict, files: list[dict]) -> tuple[Volume, dict]:
    """The volume on the corpus' grid, and what is told of it."""
    if "path" in unit:
        volume = read_nifti.read_nifti(Path(files[0]["path"]))
    else:
        volume = read.read_series([item for item in files if not item["is_copy"]])
    quality_checks.check_size(volume)
    quality_checks.check_hu(volume, settings.body_above_hu)
    orientation = "".join(nib.aff2axcodes(volume.affine))
    shape, spacing = volume.values.shape, volume.spacing_mm
    volume = resample.as_int16(volume)
    voxels = hashlib.sha256(np.ascontiguousarray(volume.values.T)).hexdigest()
    parts = [voxels, volume.affine.tolist(), settings.of_volumes()]
    identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    volume = resample.on_grid(volume, settings.spacing_mm, settings.body_above_hu)
    values = volume.values
    counts = np.histogram(values, HISTOGRAM_BINS, HISTOGRAM_HU)[0]
    return volume, {
        "id": identity[:ID_LENGTH],
        "voxels": voxels,
        "shape": list(shape),
        "spacing_mm": [round(float(mm), 4) for mm in spacing],
        "orientation": orientation,
        "prepared_shape": list(values.shape),
        "hu_min": int(values.min()),
        "hu_max": int(values.max()),
        "body_fraction": round(float(np.mean(values > settings.body_above_hu)), 4),
        "repairs": volume.repairs,
        "histogram": counts.tolist(),
    }


def _write(volume: Volume, path: Path) -> None:
    """An uncompressed NIfTI, whole or not at all."""
    image = nib.Nifti1Image(volume.values, volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner")

    def save() -> None:
        with replacing(path) as temporary:
            nib.save(image, temporary)

    _guarded(save)


def _guarded(write, *arguments) -> None:
    """Write to the destination; what goes wrong there is no volume's fault and ends the work."""
    try:
        write(*arguments)
    except OSError as error:
        raise InputError(
            f"the destination cannot be written: {error}; make room or mend its rights, and start "
            "again: what is finished is kept."
        ) from error
