"""Finds the tasks to be submitted, and the test images of each."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..common import BUNDLE
from ..common.data.image_folder import find_in_folder
from ..common.errors import InputError, suggest
from ..datalist.tasks import read_tasks

NAMED = 5  # files in a sentence


@dataclass(frozen=True)
class Task:
    """Holds what is submitted of one task.

    Args:
        name: `Task09_Spleen`.
        images: its test images, sorted paths.
        numbers: of its labels, 0 among them.
        channels: of an image.
    """

    name: str
    images: list[str]
    numbers: list[int]
    channels: int


def config_files(name: str) -> list[str]:
    """Lists the config files of a task's inference; a bundle of one task needs no other."""
    of_task = f"configs/tasks/{name}.json"
    return ["configs/inference.json", *([of_task] if Path(BUNDLE, of_task).is_file() else [])]


def find_tasks(data: str, names: list[str] | None) -> list[Task]:
    """Finds tasks with their test images.

    Args:
        data: folder with a folder for each task, `Task09_Spleen/imagesTs`.
        names: of tasks; None takes all whose folder is there.

    Raises:
        InputError: a task is unknown or has no folder, or a test image is missing.
    """
    known = list(read_tasks())
    for name in names or []:
        if name not in known:
            remedy = suggest(name, known) or f"there are {', '.join(known)}."
            raise InputError(f"task {name} is unknown; {remedy}")
    present = names or [name for name in known if Path(data, name).is_dir()]
    if not present:
        raise InputError(f"{data} holds no folder of a task, such as {known[0]}; give theirs.")
    return [_find_task(Path(data, name), name) for name in present]


def _find_task(folder: Path, name: str) -> Task:
    if not (folder / "imagesTs").is_dir():
        raise InputError(f"{folder} has no imagesTs; unpack the whole archive of {name}.")
    found = find_in_folder(folder / "imagesTs")
    found.log()
    missing = sorted({*_listed_names(folder)} - {Path(path).name for path in found.images})
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise InputError(
            f"{folder}/imagesTs lacks {', '.join(missing[:NAMED])}{more}, which dataset.json "
            "lists; unpack the whole archive."
        )
    if not found.images:
        raise InputError(f"{folder}/imagesTs holds no image; unpack the whole archive.")
    config = read_tasks()[name]
    numbers = sorted(map(int, config["labels"]))
    return Task(name, found.images, numbers, config["channels"])


def _listed_names(folder: Path) -> list[str]:
    """Lists the file names of the test images in dataset.json; none where it does not say."""
    path = folder / "dataset.json"
    if not path.is_file():
        return []
    try:
        items = json.loads(path.read_text()).get("test") or []
        items = [item["image"] if isinstance(item, dict) else item for item in items]
        return [Path(item).name for item in items]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}); unpack it anew.") from error
