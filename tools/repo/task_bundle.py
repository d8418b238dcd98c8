"""Writes a bundle for one task of the Decathlon: `msd_task07_pancreas_segmentation`.

MONAI's metadata and `models/model.pt` describe one input and one output, so each task is released
as a bundle. Its configs are made by the function that makes those of `msd_tasks`.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from common.atomic_write import explained
from common.errors import InputError, suggest_and_list
from tools import ROOT

from .copies import MOVED_COMMANDS, workflow_configs
from .format_json import layout
from .task_metadata import channel_names, metadata, title

SOURCE = "msd_tasks"
README = Path(__file__).with_name("task_readme.md")
COPIED = (
    *("LICENSE", "large_files.yml", "docs/data_license.txt", "docs/export.md"),
    "configs/logging.conf",
)
IGNORED = shutil.ignore_patterns("__pycache__", *(f"{n}.py" for n in MOVED_COMMANDS[SOURCE]))
START = {
    "CT": ("from a pre-trained encoder", " --pretrained pretrained/model_swinvit.pt"),
    "MRI": ("from scratch", ""),
}


def task_bundle(task: str, output_dir: str, root: Path = ROOT) -> str:
    """Writes one task of `msd_tasks` as a bundle of its own, whole or not at all.

    Args:
        task: such as Task07_Pancreas, a file of `bundles/msd_tasks/configs/tasks/`.
        output_dir: the bundle is a folder in it, msd_task07_pancreas_segmentation. An older one of
            the same task is replaced.
        root: the repository.

    Returns:
        The folder of the bundle.

    Raises:
        InputError: there is no such task; the folder cannot be written, is there and something
            else, or holds files that this command does not write, such as trained weights.
    """
    bundle = root / "bundles" / SOURCE
    path = bundle / f"configs/tasks/{task}.json"
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.json"))
        raise InputError(f"{task} is no task of {SOURCE}; {suggest_and_list(task, known)}")
    target = Path(output_dir) / bundle_name(task)
    with explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        # beside the target, so that it is renamed within one file system
        made_in = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}_")
    with made_in as temporary:
        made, old = Path(temporary, "made"), Path(temporary, "old")
        write_files(bundle, path, made)
        if os.path.lexists(target):
            check_replaceable(target, made, title(json.loads(path.read_text())))
            target.rename(old)
        made.rename(target)
    return str(target)


def bundle_name(task: str) -> str:
    """Returns the name of a task's bundle; it holds no `_v`, which MONAI takes for a version."""
    return f"msd_{task.lower()}_segmentation"


def write_files(bundle: Path, task_path: Path, folder: Path) -> None:
    """Writes the files of a task's bundle into a new folder.

    Args:
        bundle: the folder of `msd_tasks`.
        task_path: the task's file.
        folder: to be made.
    """
    task = json.loads(task_path.read_text())
    shutil.copytree(bundle / "scripts", folder / "scripts", ignore=IGNORED)
    for name in ("configs/schedules", "docs"):
        (folder / name).mkdir(parents=True)
    for name in COPIED:
        shutil.copyfile(bundle / name, folder / name)
    root = bundle.parents[1]
    texts = {f"configs/{name}": text for name, text in workflow_configs(root, task_path).items()}
    of_bundle = json.loads((bundle / "configs/metadata.json").read_text())
    demo = json.loads((bundle / "configs/demo.json").read_text())
    demo["_desc_"] = "small enough for two CPU cores; last in the list of config files"
    texts["configs/metadata.json"] = layout(metadata(of_bundle, task)) + "\n"
    texts["configs/demo.json"] = layout(demo) + "\n"
    texts["docs/README.md"] = readme(task)
    # its commands are of the default task
    weights = (bundle / "docs/weights.md").read_text()
    texts["docs/weights.md"] = weights.replace("Task09_Spleen", task["name"])
    for name, text in texts.items():
        (folder / name).write_text(text)


def readme(task: dict) -> str:
    """Fills the template of a task's README."""
    start, flag = START[task["modality"]]
    words = {
        "name": task["name"],
        "bundle": bundle_name(task["name"]),
        "modality": task["modality"],
        "channels": ", ".join(channel_names(task)),
        "labels": ", ".join(f"{number} {words}" for number, words in task["labels"].items()),
        "spacing": " x ".join(f"{mm:g}" for mm in task["spacing_mm"]),
        "patch": " x ".join(map(str, task["patch_size"])),
        "tolerances": ", ".join(f"{mm:g}" for mm in task["tolerances_mm"]),
        "start": start,
        "pretrained": flag,
    }
    text = README.read_text()
    for key, value in words.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def check_replaceable(target: Path, made: Path, name: str) -> None:
    """Raises an `InputError` unless a folder is an older bundle of the same task and no more."""
    try:
        is_same = json.loads((target / "configs/metadata.json").read_text())["name"] == name
    except (OSError, ValueError, KeyError, TypeError):
        is_same = False
    if not is_same or target.is_symlink():
        raise InputError(f"{target} is there and no bundle of this task; give another folder.")
    paths = [path for path in target.rglob("*") if "__pycache__" not in path.parts]
    more = [path for path in paths if not (made / path.relative_to(target)).exists()]
    if more:
        raise InputError(
            f"{min(more)} is not written by this command and would be lost; move it, or give "
            "another folder."
        )
