"""The units of a corpus' work: a folder to scan, a series or NIfTI file to prepare.

Each leaves a record, written whole or not at all, by which a preparation that was killed goes on:
what has a record and has not changed is not done again. Only the record is returned, never voxels,
so that the work can be anywhere.
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from ..command_line import InputError
from ..files import replacing, write_text
from . import dicom, grid, nifti_source, plausible, sources
from .outcome import Rejected, Volume

HISTOGRAM_HU = (-1024, 1536)
HISTOGRAM_BINS = 80
HIDDEN = 16  # characters of a volume's id; two of a million are alike once in 30 million corpora


@dataclass(frozen=True)
class Settings:
    """What decides how a volume comes out; a destination has one.

    Args:
        source: the archive's folder.
        spacing_mm: of the prepared volumes, along each axis.
        body_above_hu: what is denser is body.
    """

    source: str
    spacing_mm: float
    body_above_hu: float

    def text(self) -> str:
        """As it is kept in the destination."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def of_volumes(self) -> list:
        """What a volume's content depends on: not where its source is."""
        return [self.spacing_mm, self.body_above_hu]


def scan(destination: str, settings: Settings, folder: str, names: list[str]) -> dict:
    """What a folder of the source holds, from its record where nothing has changed.

    Returns:
        `folder`, and what `sources.scan` gives, of `series` the number of slices alone.
    """
    path = record_path(destination, "scan", folder)
    where = Path(settings.source, folder)
    signature = sources.listing(where, names)
    found = read_record(path, signature)
    if found is None:
        found = {"signature": signature, "folder": folder, **sources.scan(where, names)}
        write_text(path, json.dumps(found))
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
    files = _files(destination, settings, unit)
    signature = _signature(settings, files)
    path = record_path(destination, "volumes", unit["name"])
    record = read_record(path, signature)
    if record and ("id" not in record or is_whole(destination, record)):
        return record
    record = {"signature": signature, **_described(unit, files)}
    try:
        volume, facts = _prepared(settings, unit, files)
    except Rejected as reason:
        record |= {"kind": reason.kind, "detail": reason.detail}
    else:
        record |= facts
        _write(volume, volume_path(destination, record["id"]))
    _guarded(write_text, path, json.dumps(record))
    return record


def record_path(destination: str, kind: str, name: str) -> Path:
    """Where a unit's record is, by a hash of its name; spread over 256 folders."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return Path(destination, "private", "records", kind, digest[:2], f"{digest[2:34]}.json")


def read_record(path: Path, signature: str) -> dict | None:
    """A record that was written for the same files; None where there is none."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if record.get("signature") == signature else None


def volume_path(destination: str, identity: str) -> Path:
    return Path(destination, "volumes", f"{identity}.nii")


def source_of(folders: list[str]) -> str:
    """How the tables name where a series lies."""
    return " + ".join(folder or "." for folder in folders)


def is_whole(destination: str, record: dict) -> bool:
    """Whether the volume of a record lies in the destination in its full length."""
    n_bytes = 352 + 2 * math.prod(record["prepared_shape"])
    return sources.stamp(volume_path(destination, record["id"]))[0] == n_bytes


def _files(destination: str, settings: Settings, unit: dict) -> list[dict]:
    """The unit's files with their headers: every instance once, copies marked `is_copy`."""
    if "path" in unit:
        return [{"name": unit["path"], "path": str(Path(settings.source, unit["path"]))}]
    files = []
    for folder in unit["folders"]:
        record = json.loads(record_path(destination, "scan", folder).read_text())
        for item in record["series"][unit["key"]]:
            name = str(Path(folder, item["name"]))
            files.append({**item, "name": name, "path": str(Path(settings.source, name))})
    seen = Counter()
    # of copies the largest is kept: one that was cut short is smaller
    for item in sorted(files, key=lambda f: (-sources.stamp(Path(f["path"]))[0], f["name"])):
        instance = item.get("instance") or item["name"]
        item["is_copy"] = bool(seen[instance])
        seen[instance] += 1
    return files


def _signature(settings: Settings, files: list[dict]) -> str:
    stamps = [[item["name"], *sources.stamp(Path(item["path"]))] for item in files]
    return hashlib.sha256(json.dumps([settings.of_volumes(), stamps]).encode()).hexdigest()


def _described(unit: dict, files: list[dict]) -> dict:
    """What the tables say of the unit, whatever becomes of it."""
    header = next((item for item in files if "uid" in item), {})
    kept = Counter(str(Path(item["name"]).parent) for item in files if not item.get("is_copy"))
    copies = Counter(str(Path(item["name"]).parent) for item in files if item.get("is_copy"))
    return {
        "source": unit.get("path") or source_of(sorted(kept)),
        "series": header.get("uid") or "",
        "patient": header.get("patient") or "",
        "files": unit["files"] - copies.total(),
        "copies": [source_of(sorted(copies)), copies.total()] if copies else None,
    }


def _prepared(settings: Settings, unit: dict, files: list[dict]) -> tuple[Volume, dict]:
    """The volume on the corpus' grid, and what is told of it."""
    if "path" in unit:
        volume = nifti_source.read_nifti(Path(files[0]["path"]))
    else:
        volume = dicom.read_series([item for item in files if not item["is_copy"]])
    plausible.check_size(volume)
    plausible.check_hu(volume, settings.body_above_hu)
    orientation = "".join(nib.aff2axcodes(volume.affine))
    shape, spacing = volume.values.shape, volume.spacing_mm
    volume = grid.as_int16(volume)
    voxels = hashlib.sha256(np.ascontiguousarray(volume.values.T)).hexdigest()
    parts = [voxels, volume.affine.tolist(), settings.of_volumes()]
    identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    volume = grid.on_grid(volume, settings.spacing_mm, settings.body_above_hu)
    values = volume.values
    counts = np.histogram(values, HISTOGRAM_BINS, HISTOGRAM_HU)[0]
    return volume, {
        "id": identity[:HIDDEN],
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
