"""Reads the records of finished folders and images, so that none is worked on again.

A record belongs to the settings and to the files' names, sizes and times. A record is written whole
or not at all, and after the volume that it describes.
"""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common.data import image_files
from ..common.data.dicom.copies import mark_copies
from . import list_files


@dataclass(frozen=True)
class Settings:
    """Holds the settings that decide how volumes are prepared; a destination has one.

    Args:
        source: the archive's folder.
        spacing_mm: of the prepared volumes, along each axis.
        body_above_hu: denser voxels are body.
    """

    source: str
    spacing_mm: float
    body_above_hu: float

    def to_json(self) -> str:
        """Returns the text of the destination's settings.json."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def preprocessing(self) -> list:
        """Returns the settings on which a volume's content depends: not the source's place."""
        return [self.spacing_mm, self.body_above_hu]


def record_path(destination: str, kind: str, name: str) -> Path:
    """Returns the path of a folder's or image's record.

    A hash of the folder's or image's name is the file's name; 256 folders share the records.
    """
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return Path(destination, "private", "records", kind, digest[:2], f"{digest[2:34]}.json")


def read_record(path: Path, signature: str) -> dict | None:
    """Reads a record that was written for the same files; None where there is none."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if record.get("signature") == signature else None


def volume_path(destination: str, volume_id: str) -> Path:
    """Returns the path of a prepared volume."""
    return Path(destination, "volumes", f"{volume_id}.nii")


def is_complete(destination: str, record: dict) -> bool:
    """Tells whether the volume of a record lies in the destination in its full length."""
    n_bytes = 352 + 2 * math.prod(record["prepared_shape"])
    return list_files.size_and_time(volume_path(destination, record["id"]))[0] == n_bytes


def list_image_files(destination: str, settings: Settings, image: dict) -> list[dict]:
    """Lists an image's files with their headers; of every instance all but one are `is_copy`.

    Of an image in a NIfTI, MetaImage or NRRD file the first one is its header.

    Args:
        destination: the corpus' folder.
        settings: see `Settings`.
        image: see `prepare.group_images`.
    """
    if "path" in image:
        paths = image_files.list_image_files(Path(settings.source, image["path"]))
        return [{"name": os.path.relpath(p, settings.source), "path": str(p)} for p in paths]
    files = [
        item
        for folder in image["folders"]
        for item in list_series_files(destination, settings, folder, image["key"])
    ]
    return mark_copies(files)


def list_series_files(destination: str, settings: Settings, folder: str, key: str) -> list[dict]:
    """Lists the headers of a series' slices in one scanned folder, each with its `path`."""
    record = json.loads(record_path(destination, "scan", folder).read_text())
    files = []
    for item in record["series"][key]:
        name = str(Path(folder, item["name"]))
        files.append({**item, "name": name, "path": str(Path(settings.source, name))})
    return files


def hash_image(settings: Settings, image: dict, files: list[dict]) -> str:
    """Hashes the settings, an image's repairs, and its files' names, sizes and times."""
    stamps = [[item["name"], *list_files.size_and_time(Path(item["path"]))] for item in files]
    content = [settings.preprocessing(), stamps, *image.get("repairs", [])]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
