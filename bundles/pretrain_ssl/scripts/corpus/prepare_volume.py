"""Scans one folder of an archive, and prepares the volume of one image: a worker's two tasks.

Either task leaves a record, written whole or not at all, by which a preparation that was killed
resumes: a folder or image that has a record and has not changed is not worked on again. Only the
record is returned, never voxels, so that workers may be on other machines.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from ..common.atomic_write import replacing, write_text
from ..common.data.dicom import headers, read, scan_folder
from ..common.data.dicom.volume import RejectedError, Volume
from ..common.errors import InputError
from . import list_files, quality_checks, read_nifti, records, resample
from .records import Settings

HISTOGRAM_HU = (-1024, 1536)
HISTOGRAM_BINS = 80
ID_LENGTH = 16  # hexadecimal digits: 64 bits tell a million volumes apart, and names stay short


def scan(destination: str, settings: Settings, folder: str, names: list[str]) -> dict:
    """Scans a folder of the source; reads the record of an earlier scan if no file has changed.

    Returns:
        `folder`, and the keys of `scan_folder.scan_folder`, of `series` the number of slices alone.
    """
    path = records.record_path(destination, "scan", folder)
    source = Path(settings.source)
    signature = f"{headers.VERSION} {list_files.hash_files(source / folder, names)}"
    record = records.read_record(path, signature)
    if record is None:
        record = {
            "signature": signature,
            "folder": folder,
            **scan_folder.scan_folder(source, folder, names),
        }
        _write_or_refuse(write_text, path, json.dumps(record))
    counts = {key: len(slices) for key, slices in record["series"].items()}
    return {**record, "series": counts}


def prepare(destination: str, settings: Settings, image: dict) -> dict:
    """Prepares the volume of one image: writes the volume to `volumes/`, or rejects it.

    Args:
        destination: the corpus' folder.
        settings: see `Settings`.
        image: see `prepare.group_images`.

    Returns:
        The record: with `kind` and `detail` of a volume that is rejected, else with its `id`.

    Raises:
        InputError: the destination cannot be written.
    """
    torch.set_num_threads(1)  # Dask counts on one
    files = records.list_image_files(destination, settings, image)
    signature = records.hash_image(settings, image, files)
    path = records.record_path(destination, "volumes", image["name"])
    record = records.read_record(path, signature)
    if record and ("id" not in record or records.is_complete(destination, record)):
        return record
    record = {"signature": signature, **_describe_source(image, files)}
    try:
        volume, properties = _prepare_volume(settings, image, files)
    except RejectedError as reason:
        record |= {"kind": reason.kind, "detail": reason.detail}
    else:
        record |= properties
        _write_volume(volume, records.volume_path(destination, record["id"]))
    _write_or_refuse(write_text, path, json.dumps(record))
    return record


def join_folders(folders: list[str]) -> str:
    """Joins a series' folders to the text by which the tables name its source."""
    return " + ".join(folder or "." for folder in folders)


def _describe_source(image: dict, files: list[dict]) -> dict:
    """Describes an image's source for its record, accepted or rejected."""
    header = next((item for item in files if "uid" in item), {})
    folders, copies = (
        [str(Path(item["name"]).parent) for item in files if item.get("is_copy", False) is is_copy]
        for is_copy in (False, True)
    )
    return {
        "source": image.get("path") or join_folders(sorted(set(folders))),
        "series": header.get("uid") or "",
        "patient": header.get("patient") or "",
        "files": image["files"] - len(copies),
        "copies": [join_folders(sorted(set(copies))), len(copies)] if copies else None,
    }


def _prepare_volume(settings: Settings, image: dict, files: list[dict]) -> tuple[Volume, dict]:
    """Returns the volume on the corpus' grid, and the properties that its record holds."""
    if "path" in image:
        volume = read_nifti.read_nifti(Path(files[0]["path"]))
    else:
        slices = [item for item in files if not item["is_copy"]]
        volume = read.read_series(slices, quality_checks.MIN_SLICES)
        volume.repairs += image["repairs"]
    quality_checks.check_size(volume)
    quality_checks.check_hu(volume, settings.body_above_hu)
    orientation = "".join(nib.aff2axcodes(volume.affine))
    shape, spacing = volume.values.shape, volume.spacing_mm
    volume = resample.convert_to_int16(volume)
    voxel_hash = hashlib.sha256(np.ascontiguousarray(volume.values.T)).hexdigest()
    identity = [voxel_hash, volume.affine.tolist(), settings.preprocessing()]
    volume_id = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    volume = resample.resample_to_grid(volume, settings.spacing_mm, settings.body_above_hu)
    values = volume.values
    counts = np.histogram(values, HISTOGRAM_BINS, HISTOGRAM_HU)[0]
    return volume, {
        "id": volume_id[:ID_LENGTH],
        "voxels": voxel_hash,
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


def _write_volume(volume: Volume, path: Path) -> None:
    """Writes an uncompressed NIfTI file, whole or not at all."""
    image = nib.Nifti1Image(volume.values, volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner")

    def save() -> None:
        with replacing(path) as temporary:
            nib.save(image, temporary)

    _write_or_refuse(save)


def _write_or_refuse(write: Callable, *arguments) -> None:
    """Writes to the destination; a failure there is no volume's fault and ends the work."""
    try:
        write(*arguments)
    except OSError as error:
        raise InputError(
            f"the destination cannot be written: {error}; make room or mend its rights, and start "
            "again: what is finished is kept."
        ) from error
