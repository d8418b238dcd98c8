"""Makes the submission to the Decathlon's challenge.

`python -m scripts submission make /data submission.zip` in the bundle's folder.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tqdm import tqdm

from ..common import BUNDLE
from ..common.atomic_write import check_writable, explained, replacing, write_text
from ..common.errors import InputError
from ..common.inference.ensemble import member_paths
from ..datalist.tasks import read_tasks
from .orientation import decide_orientation
from .record import check_record
from .tasks import Task, config_files, find_tasks
from .verify import check_all


def make(
    data: str,
    output: str,
    *,
    tasks: list[str] | None = None,
    ckpt_path: str = "runs/{task}_fold[0-4]/checkpoints/best.pt",
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
        msd_orientation: the headers of all these tasks reverse x and y; by default each task is
            read as the training of its weights read it, or else as `datalist msd` decides.

    Returns:
        How many cases of how many tasks were packed, in words.

    Raises:
        InputError: weights or images are missing; a label file is missing or wrong; the trainings
            of a task's weights have read headers differently.
    """
    chosen = find_tasks(data, predictions, tasks)
    weights = {task.name: _find_weights(task, ckpt_path) for task in chosen}
    is_turned = {t.name: decide_orientation(t, weights[t.name], msd_orientation) for t in chosen}
    check_writable(files=[output], folders=[str(task.labels_dir) for task in chosen])
    configs = configs or []
    for task in chosen:
        check_record(task, weights[task.name], configs, is_turned[task.name])
    failed = [
        task.name
        for task in tqdm(chosen, desc="submission", unit="task")
        if not _segment(task, weights[task.name], configs, is_turned[task.name])
    ]
    if failed:
        raise InputError(
            f"the inference of {', '.join(failed)} failed, see above; nothing is packed: mend it "
            "and start again, which goes on."
        )
    for task in chosen:
        check_all(task)
    return _pack(chosen, Path(output))


def _find_weights(task: Task, ckpt_path: str) -> list[str]:
    """Finds the weights of a task, absolute paths; see `member_paths` of an ensemble."""
    paths = member_paths(os.path.join(BUNDLE, ckpt_path.replace("{task}", task.name)))
    for path in paths:
        if not os.path.isfile(path):
            raise InputError(
                f"{path} do not exist; train {task.name} first, or name weights by --ckpt_path."
            )
    return paths


def _segment(task: Task, weights: list[str], configs: list[str], is_turned: bool) -> bool:
    """Runs the inference of the images that have no labels yet; tells whether it ended well."""
    missing = [image for image in task.images if not task.labels_of(image).is_file()]
    if not missing:
        return True
    datalist = task.labels_dir / "missing.json"
    names = [{"image": os.path.relpath(image, task.images_dir)} for image in missing]
    content = {"test": names, "msd_orientation": is_turned}
    write_text(datalist, json.dumps(content) + "\n")
    files = [*config_files(task.name), *configs]
    flags = {"dataset_dir": task.images_dir, "datalist": datalist, "output_dir": task.labels_dir}
    flags["ckpt_path"] = weights if len(weights) > 1 else weights[0]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    print(f"{task.name}: {len(missing)} of {len(task.images)} cases to segment", file=sys.stderr)
    status = subprocess.run(command, cwd=BUNDLE, check=False).returncode
    datalist.unlink(missing_ok=True)
    return status == 0


def _pack(tasks: list[Task], output: Path) -> str:
    """Packs verified labels."""
    with (
        explained(output),
        replacing(output) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for task in tasks:
            for image in task.images:
                archive.write(task.labels_of(image), task.name_in_archive(image))
    cases = sum(len(task.images) for task in tasks)
    names = [task.name for task in tasks]
    lacking = [name for name in read_tasks() if name not in names]
    note = f"; the challenge takes all ten, {', '.join(lacking)} are not in it" if lacking else ""
    return f"{output}: {cases} cases of {len(tasks)} tasks, verified{note}"


COMMANDS = {"make": make}
