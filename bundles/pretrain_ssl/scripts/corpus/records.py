"""What is kept of finished work, so that it is never done again.

A record belongs to the files and settings it was made of: their names, sizes and times. It is
written whole or not at all, after what it tells of.
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from . import list_files


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


def is_whole(destination: str, record: dict) -> bool:
    """Whether the volume of a record lies in the destination in its full length."""
    n_bytes = 352 + 2 * math.prod(record["prepared_shape"])
    return list_files.stamp(volume_path(destination, record["id"]))[0] == n_bytes


def files_of(destination: str, settings: Settings, unit: dict) -> list[dict]:
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
    for item in sorted(files, key=lambda f: (-list_files.stamp(Path(f["path"]))[0], f["name"])):
        instance = item.get("instance") or item["name"]
        item["is_copy"] = bool(seen[instance])
        seen[instance] += 1
    return files


def signature_of(settings: Settings, files: list[dict]) -> str:
    stamps = [[item["name"], *list_files.stamp(Path(item["path"]))] for item in files]
    return hashlib.sha256(json.dumps([settings.of_volumes(), stamps]).encode()).hexdigest()
