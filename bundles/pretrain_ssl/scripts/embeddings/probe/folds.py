"""Splits images into folds for cross-validation: all images of a patient are in one fold."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...common.errors import InputError


def split_folds(
    patients: Sequence[str], folds: int, seed: int, classes: Sequence[str] | None = None
) -> np.ndarray:
    """Draws the fold of each image.

    Args:
        patients: of each image.
        folds: at most this many; as many as there are patients leave out one at a time.
        seed: of the order in which patients are dealt to the folds.
        classes: of each image; patients of one class, by most of their images, are then dealt
            evenly.

    Returns:
        (N,) numbers of folds, from 0 on, none empty.

    Raises:
        InputError: there is one patient alone.
    """
    labels: dict[str, Counter] = {}
    for index, patient in enumerate(patients):
        labels.setdefault(patient, Counter())[classes[index] if classes else ""] += 1
    if len(labels) < 2:
        raise InputError("all images are of one patient; labels of two or more are needed.")
    order = np.random.default_rng(seed).permutation(sorted(labels)).tolist()
    order.sort(key=lambda patient: labels[patient].most_common(1)[0][0])
    count = min(folds, len(order))
    numbers = {patient: place % count for place, patient in enumerate(order)}
    return np.array([numbers[patient] for patient in patients])
