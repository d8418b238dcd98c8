"""Decides whether a submission corrects the headers of a task: as the training of its weights."""

import sys

from ..common.errors import InputError
from ..common.weights.orientation import read_orientations
from ..datalist.orientation import decide_orientation as by_report
from .tasks import Task

EXPORTED = (".ts", ".onnx")  # files that are no checkpoints; their run compares their note


def decide_orientation(task: Task, weights: list[str], by_hand: bool | None) -> bool:
    """Decides whether the headers of a task's test images are corrected, and says why in a line.

    Args:
        task: with its test images.
        weights: of the task, absolute paths.
        by_hand: the value on the command line; None: none was given.

    Raises:
        InputError: some of the weights were trained with the correction, others without it.
    """
    files = [path for path in weights if not path.endswith(EXPORTED)]
    found = read_orientations(files, f"train {task.name} first, or name weights by --ckpt_path.")
    if len({*found.values()}) > 1:
        (yes, no) = (next(p for p, value in found.items() if value is v) for v in (True, False))
        raise InputError(
            f"{yes} was trained with msd_orientation True, {no} with False; give weights of "
            f"{task.name} that agree by --ckpt_path."
        )
    if by_hand is None and found:
        is_turned = next(iter(found.values()))
        line = f"msd_orientation is {str(is_turned).lower()}, as in the training of the weights"
    else:
        channels = task.config["channels"]
        is_turned, line = by_report(task.name, task.images, channels, by_hand)
    print(f"{task.name}: {line}", file=sys.stderr)
    return is_turned
