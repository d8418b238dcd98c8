"""Finds the tasks to be submitted, and the test images of each."""

import logging
from dataclasses import dataclass
from pathlib import Path

from ..common import BUNDLE
from ..common.data.formats import stem_of
from ..common.data.output_names import OutputNames
from ..common.errors import InputError, list_first
from ..datalist.cases import TESTS, find_tests
from ..datalist.dataset_json import NAME, read_description
from ..datalist.tasks import get_task, read_tasks

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """Holds the test images of a task, and where their labels are written.

    Args:
        config: the task's, such as `configs/tasks/Task09_Spleen.json`.
        images: paths of its test images.
        images_dir: the folder that the inference is given.
        labels_dir: the folder that the inference writes to.
    """

    config: dict
    images: list[str]
    images_dir: Path
    labels_dir: Path

    @property
    def name(self) -> str:
        """Returns `Task09_Spleen`."""
        return self.config["name"]

    @property
    def numbers(self) -> list[int]:
        """Returns the numbers of the labels, 0 among them."""
        return sorted(map(int, self.config["labels"]))

    def labels_of(self, image: str) -> Path:
        """Names the label file that the inference writes for an image."""
        return Path(OutputNames(str(self.labels_dir), str(self.images_dir)).filename(image))

    def name_in_archive(self, image: str) -> str:
        """Names an image's labels in the archive: `Task09_Spleen/spleen_1.nii.gz`."""
        return f"{self.name}/{stem_of(Path(image).name)}.nii.gz"


def config_files(name: str) -> list[str]:
    """Lists the config files of a task's inference; a bundle of one task needs no other."""
    of_task = f"configs/tasks/{name}.json"
    return ["configs/inference.json", *([of_task] if Path(BUNDLE, of_task).is_file() else [])]


def find_tasks(data: str, predictions: str, names: list[str] | None) -> list[Task]:
    """Finds tasks with their test images.

    Args:
        data: folder with a folder for each task, `Task09_Spleen/imagesTs`.
        predictions: folder for the labels, a folder for each task.
        names: of tasks; None takes all whose folder is there.

    Raises:
        InputError: a task is unknown or has no folder, or a test image is missing.
    """
    configs = {name: get_task(name, "--tasks") for name in names or []}
    if not configs:
        configs = {n: config for n, config in read_tasks().items() if Path(data, n).is_dir()}
    if not configs:
        example = next(iter(read_tasks()))
        raise InputError(f"{data} holds no folder of a task, such as {example}; give theirs.")
    return [
        _find_task(config, Path(data, name).absolute(), Path(predictions, name).absolute())
        for name, config in configs.items()
    ]


def _find_task(config: dict, root: Path, labels_dir: Path) -> Task:
    if not (root / TESTS).is_dir():
        raise InputError(f"{root} has no {TESTS}; unpack the whole archive of {config['name']}.")
    images, missing, lines = find_tests(root, read_description(root))
    if missing:
        raise InputError(
            f"{root / TESTS} lacks {list_first([Path(item).name for item in missing])}, which "
            f"{NAME} lists; unpack the whole archive."
        )
    if not images:
        raise InputError(f"{root / TESTS} holds no image; unpack the whole archive.")
    for line in lines:
        logger.warning(line)
    return Task(config, sorted(map(str, images)), root / TESTS, labels_dir)
