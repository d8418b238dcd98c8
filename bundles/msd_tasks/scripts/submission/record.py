"""Records what the labels of a task were made by, and refuses labels of something else."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..common import BUNDLE
from ..common.atomic_write import write_text
from ..common.errors import InputError
from .tasks import Task, config_files

RECORD = "made_by.json"  # in the folder of a task's labels


def check_record(task: Task, weights: list[str], configs: list[str], is_turned: bool) -> None:
    """Refuses labels of other or unknown weights, configs or images; writes the record of these.

    An image that has no labels yet may be any: it is segmented anew.

    Args:
        task: with its test images.
        weights: paths.
        configs: files that follow inference.json and the task's, relative to the bundle.
        is_turned: whether the headers of the task's images are corrected.

    Raises:
        InputError: as above, or a config file is missing.
    """
    record = {
        "weights": [[path, *_size_and_time(path)] for path in weights],
        "configs": [[name, _hash(name)] for name in [*config_files(task.name), *configs]],
        "msd_orientation": is_turned,
    }
    images = {os.path.relpath(image, task.images_dir): image for image in task.images}
    facts = {name: _size_and_time(image) for name, image in images.items()}
    path = task.labels_dir / RECORD
    earlier = _read(path)
    done = [name for name, image in images.items() if task.labels_of(image).is_file()]
    before = earlier.pop("images", None)  # an earlier version's record has none
    if earlier != record and (earlier or done):
        kind = "unknown" if before is None else "other"
        raise InputError(
            f"{task.labels_dir} has labels of {kind} weights or options; remove it, or name "
            "another folder by --predictions."
        )
    for name in done:
        if (before or {}).get(name) != facts[name]:
            raise InputError(
                f"{task.labels_of(images[name])} was made of another file than {images[name]} is "
                "now; remove these labels, or name another folder by --predictions."
            )
    write_text(path, json.dumps(record | {"images": facts}, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """Reads a record; empty where there is none, or it is damaged."""
    try:
        return dict(json.loads(path.read_text())) if path.is_file() else {}
    except (ValueError, TypeError):
        return {}


def _size_and_time(path: str) -> list[int]:
    facts = os.stat(path)
    return [facts.st_size, facts.st_mtime_ns]


def _hash(name: str) -> str:
    """Returns the SHA-256 of a config file, `name` being relative to the bundle."""
    path = Path(BUNDLE, name)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); mend --configs.") from error
