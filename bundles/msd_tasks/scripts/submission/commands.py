"""Makes the submission to the Decathlon's challenge.

`python -m scripts submission make /data submission.zip` in the bundle's folder.
"""

import glob
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tqdm import tqdm

from ..common import BUNDLE
from ..common.atomic_write import check_writable, replacing, write_text
from ..common.errors import InputError
from ..datalist.orientation import decide_orientation
from ..datalist.tasks import read_tasks
from .tasks import Task, config_files, find_tasks
from .verify import case_name, check_all, prediction_of

RECORD = "made_by.json"  # beside a task's predictions: the weights and configs they come from


def make(
    data: str,
    output: str,
    *,
    tasks: list[str] | None = None,
    ckpt_path: str = "runs/{task}_fold*/checkpoints/best.pt",
    predictions: str = "predictions/submission",
    configs: list[str] | None = None,
    msd_orientation: bool | None = None,
) -> str:
    """Segments the test images of tasks, verifies the labels, and packs them into one archive.

    What is segmented already is kept, so that the command may be started again.

    Args:
        data: folder with a folder for each task, as downloaded: `Task09_Spleen/imagesTs`.
        output: the archive, `submission.zip`; an earlier one is replaced.
        tasks: names separated by commas; by default all whose folder is there.
        ckpt_path: weights of a task, `{task}` is its name; a pattern is an ensemble.
        predictions: folder for the labels, a folder for each task.
        configs: files that follow inference.json and the task's, such as `configs/demo.json`.
        msd_orientation: the headers reverse x and y; by default as `datalist msd` decides.

    Returns:
        How many cases of how many tasks were packed, in words.

    Raises:
        InputError: weights or images are missing; a label file is missing or wrong.
    """
    chosen = find_tasks(data, tasks)
    weights = {task.name: _find_weights(task, ckpt_path) for task in chosen}
    folders = {task.name: Path(predictions, task.name).absolute() for task in chosen}
    check_writable(files=[output], folders=map(str, folders.values()))
    for task in chosen:
        options = {"configs": configs or [], "msd_orientation": msd_orientation}
        _check_record(folders[task.name], weights[task.name], options)
    failed = []
    for task in tqdm(chosen, desc="submission", unit="task"):
        folder = folders[task.name]
        if not _segment(task, folder, weights[task.name], configs or [], msd_orientation):
            failed.append(task.name)
    if failed:
        raise InputError(
            f"the inference of {', '.join(failed)} failed, see above; nothing is packed: mend it "
            "and start again, which goes on."
        )
    for task in chosen:
        check_all(task, folders[task.name])
    return _pack(chosen, folders, Path(output))


def _find_weights(task: Task, ckpt_path: str) -> list[str]:
    """Finds the weights of a task, absolute paths."""
    pattern = os.path.join(BUNDLE, ckpt_path.replace("{task}", task.name))
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise InputError(
            f"{pattern} do not exist; train {task.name} first, or name weights by --ckpt_path."
        )
    return paths


def _check_record(folder: Path, weights: list[str], options: dict) -> None:
    """Refuses predictions of other weights or options; writes the record of these."""
    facts = [[path, os.path.getsize(path), os.stat(path).st_mtime_ns] for path in weights]
    record = {"weights": facts} | options
    path = folder / RECORD
    if path.is_file() and json.loads(path.read_text()) != record:
        raise InputError(
            f"{folder} has labels of other weights or options; remove it, or name another folder "
            "by --predictions."
        )
    write_text(path, json.dumps(record, indent=1) + "\n")


def _segment(
    task: Task,
    folder: Path,
    weights: list[str],
    configs: list[str],
    orientation: bool | None = None,
) -> bool:
    """Runs the inference of the images that have no labels yet; tells whether it ended well."""
    missing = [path for path in task.images if not prediction_of(folder, path).is_file()]
    if not missing:
        return True
    images = Path(os.path.dirname(missing[0])).absolute()
    datalist = folder / "missing.json"
    names = [{"image": os.path.relpath(path, images)} for path in missing]
    is_turned, line = decide_orientation(task.name, task.images, task.channels, orientation)
    print(line, file=sys.stderr)
    content = {"test": names, "msd_orientation": is_turned}
    write_text(datalist, json.dumps(content) + "\n")
    files = [*config_files(task.name), *configs]
    flags = {"dataset_dir": images, "datalist": datalist, "output_dir": folder}
    flags["ckpt_path"] = weights if len(weights) > 1 else weights[0]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    print(f"{task.name}: {len(missing)} of {len(task.images)} cases to segment", file=sys.stderr)
    status = subprocess.run(command, cwd=BUNDLE, check=False).returncode
    datalist.unlink(missing_ok=True)
    return status == 0


def _pack(tasks: list[Task], folders: dict[str, Path], output: Path) -> str:
    """Packs verified labels: `Task09_Spleen/spleen_1.nii.gz`."""
    with replacing(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for task in tasks:
            for image in task.images:
                labels = prediction_of(folders[task.name], image)
                archive.write(labels, f"{task.name}/{case_name(image)}.nii.gz")
    cases = sum(len(task.images) for task in tasks)
    lacking = [name for name in read_tasks() if name not in folders]
    note = f"; the challenge takes all ten, {', '.join(lacking)} are not in it" if lacking else ""
    return f"{output}: {cases} cases of {len(tasks)} tasks, verified{note}"


COMMANDS = {"make": make}
