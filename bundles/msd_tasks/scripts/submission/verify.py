"""Verifies label files against their images before they are submitted."""

import nibabel as nib
import numpy as np

from ..common.data.nifti_header import open_nifti
from ..common.data.open_image import read_voxels
from ..common.errors import InputError
from .tasks import Task

AFFINE_MM = 1e-3  # by which affines may differ


def find_problem(task: Task, image: str) -> str | None:
    """Describes what is wrong with the label file of an image; None if nothing is.

    Right is a file of uint8 on the image's grid, with no other values than the task's labels.
    """
    labels = task.labels_of(image)
    if not labels.is_file():
        return "is missing"
    try:
        volume = nib.load(labels)
        values = read_voxels(volume)
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        return f"cannot be read ({error})"
    expected = open_nifti(image, task.config["channels"]).image
    if volume.get_data_dtype() != np.uint8:
        return f"holds {volume.get_data_dtype()}, expected uint8"
    if volume.shape != expected.shape[:3]:
        return f"has shape {volume.shape}, its image {expected.shape[:3]}"
    if not np.allclose(volume.affine, expected.affine, rtol=0, atol=AFFINE_MM):
        return "has another affine than its image"
    unknown = sorted({*np.unique(values).tolist()} - {*task.numbers})
    if unknown:
        return f"holds {', '.join(map(str, unknown[:5]))}, labels are {task.numbers}"
    return None


def check_all(task: Task) -> None:
    """Checks the label files of all test images of a task.

    Raises:
        InputError: the first that is wrong, and how many are.
    """
    problems = [
        f"{task.labels_of(image)} {problem}"
        for image in task.images
        if (problem := find_problem(task, image))
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(
            f"{problems[0]}{more}; nothing is packed: remove what is wrong and start again."
        )
