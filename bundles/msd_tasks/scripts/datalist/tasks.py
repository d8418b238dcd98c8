"""Finds the task of a folder of the Decathlon, and compares `dataset.json` with its config."""

import json
import re
from pathlib import Path

from ..common import BUNDLE
from ..common.errors import InputError, suggest_and_list
from .dataset_json import NAME, Description

CONFIGS = BUNDLE / "configs"
# What `dataset.json` of the archives calls a task, beside the second half of its name.
OTHER_NAMES = {"brats": "Task01_BrainTumour", "leftatrium": "Task02_Heart"}


def read_tasks() -> dict[str, dict]:
    """Reads the config of each task by its name; a bundle of one task has that one."""
    paths = sorted(CONFIGS.glob("tasks/*.json")) or [CONFIGS / "train.json"]
    configs = [json.loads(path.read_text()) for path in paths]
    return {config["name"]: config for config in configs}


def get_task(name: str, option: str) -> dict:
    """Returns the config of the task that an option names.

    Raises:
        InputError: there is no such task.
    """
    tasks = read_tasks()
    if name not in tasks:
        remedy = suggest_and_list(name, list(tasks))
        raise InputError(f"{option} {name} is no task of this bundle; {remedy}")
    return tasks[name]


def find_task(root: Path, described: Description, named: str | None = None) -> dict:
    """Finds the config of a folder's task: the named one, else by the folder or `dataset.json`.

    Args:
        root: the folder, such as `Task09_Spleen`.
        described: its `dataset.json`.
        named: the name on the command line; None: none was given.

    Raises:
        InputError: there is no such task, no name is that of a task, or two tasks are named.
    """
    if named is not None:
        return get_task(named, "--task")
    tasks = read_tasks()
    of_folder = _task_named(root.resolve().name, tasks)
    of_file = _task_named(described.name or "", tasks)
    if of_folder and of_file and of_folder != of_file:
        raise InputError(
            f"{root / NAME} is of {of_file} by its name {described.name}, and its folder of "
            f"{of_folder}; put the right file there, or say which by --task."
        )
    task = of_folder or of_file
    if task is None:
        raise InputError(
            f"{root} is of no known task by its name; give --task, one of {', '.join(tasks)}."
        )
    return tasks[task]


def _task_named(name: str, tasks: dict[str, dict]) -> str | None:
    """Returns the task of `Task09_Spleen`, `Dataset009_Spleen`, `MSKCC_Colon` or `BRATS`.

    None for a name that fits no task, or several.
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    fitting = {task for task in tasks if {*task.lower().split("_")} & {*words}}
    fitting |= {OTHER_NAMES[word] for word in words if OTHER_NAMES.get(word) in tasks}
    return fitting.pop() if len(fitting) == 1 else None


def check_description(root: Path, described: Description, task: dict) -> list[str]:
    """Compares labels and channels of `dataset.json` with the task's config.

    Returns:
        A line for each label that has another name.

    Raises:
        InputError: labels or the number of channels are not those of the task.
    """
    path, name = root / NAME, task["name"]
    channels, expected = described.channels, task.get("channel_names") or [task["modality"]]
    if channels and len(channels) != len(expected):
        known = {channel.lower() for channel in channels}
        missing = [channel for channel in expected if channel.lower() not in known]
        lack = f" and lacks {', '.join(missing)}" if missing else ""
        raise InputError(
            f"{path} has {len(channels)} channels ({', '.join(channels)}){lack}, and {name} takes "
            f"{len(expected)} ({', '.join(expected)}); mend the images and the file, or give the "
            "task by --task."
        )
    if not described.labels:
        return []
    labels = {int(number): text for number, text in task["labels"].items()}
    numbers = {text.lower(): number for number, text in labels.items()}
    swapped = any(
        numbers.get(text.lower(), number) != number for number, text in described.labels.items()
    )
    if swapped or described.labels.keys() | {0} != labels.keys():
        raise InputError(
            f"{path} has the labels {_in_words(described.labels)}, and {name} has "
            f"{_in_words(labels)}; give the task by --task, or mend the file."
        )
    return [
        f"label {number} is {labels[number]} here, and {text} in {NAME}"
        for number, text in described.labels.items()
        if number and text.lower() != labels[number].lower()
    ]


def _in_words(labels: dict[int, str]) -> str:
    return ", ".join(f"{number} {text}" for number, text in sorted(labels.items()))
