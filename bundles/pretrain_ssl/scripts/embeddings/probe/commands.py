"""Probes an encoder: how well its embeddings predict labels, beside what knowing nothing gives.

python -m scripts probe predictions/embeddings.csv labels.csv
"""

from collections import Counter
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...common.cli.kinds import Count, Seed, Several
from ...common.errors import InputError, list_first
from .folds import split_folds
from .probes import mean, most_frequent, nearest, ridge, standardise
from .tables import Labelled, all_numbers, read_labelled

MOST_CLASSES = 10  # labels that are numbers are values, not classes, where there are more


def probe(
    embeddings: str,
    labels: str,
    *,
    label: str = "label",
    kind: Literal["auto", "classes", "values"] = "auto",
    folds: Several = 5,
    neighbours: Count = 1,
    seed: Seed = 0,
) -> str:
    """Predicts labels of images from their embeddings, by cross-validation.

    Each stage of the encoder has a row: a linear probe (ridge regression), a nearest-neighbour
    probe (cosine), and chance. Classes are scored by accuracy, and chance is the share of the most
    frequent class; values by mean absolute error, and chance is the mean. All images of one patient
    are in one fold.

    Args:
        embeddings: embeddings.csv of an inference.
        labels: a CSV file with the columns image (the path in embeddings.csv, or the file's name)
            and label, and patient where several images are of one.
        label: the column of the labels.
        kind: auto takes numbers with more than 10 different values as values.
        folds: as many as there are patients leave out one patient at a time.
        neighbours: of the nearest-neighbour probe.
        seed: of the folds.

    Raises:
        InputError: see `tables.read_labelled` and `folds.split_folds`; or the labels do not fit
            `kind`.
    """
    table = read_labelled(embeddings, labels, label)
    is_values = _are_values(table.labels, kind, labels)
    classes = None if is_values else sorted(set(table.labels))
    numbers = split_folds(table.patients, folds, seed, None if is_values else table.labels)
    targets = _targets(table.labels, classes)
    probes = {"linear": ridge, "nearest": partial(nearest, neighbours=neighbours)}
    probes["chance"] = mean if is_values else partial(most_frequent, classes=targets)
    rows = []
    for stage, features in sorted(table.stages.items()):
        scores = [
            _describe(*cross_validate(features, targets, numbers, method, is_values))
            for method in probes.values()
        ]
        rows.append([str(stage), str(features.shape[1]), *scores])
    score = "mean absolute error, low is good" if is_values else "accuracy, high is good"
    lines = [
        *table.notes,
        _describe_labels(table, classes, labels, label),
        f"{len(set(numbers.tolist()))} folds, seed {seed}; {score}; "
        "± is the standard deviation between folds",
        *_aligned([["stage", "features", *probes], *rows]),
    ]
    return "\n".join(lines)


def cross_validate(
    features: Tensor, targets: Tensor, folds: np.ndarray, method, is_values: bool
) -> tuple[float, float]:
    """Scores a probe on held-out images.

    Args:
        features: (N, F) float64.
        targets: (N, K): classes as one of K, or values with K = 1.
        folds: (N,) numbers.
        method: takes features and targets of training images, and features of the held-out.
        is_values: score by absolute error, not by accuracy.

    Returns:
        The mean over all images, and the standard deviation between the folds' means.
    """
    scores = torch.zeros(len(targets), dtype=torch.float64)
    for fold in np.unique(folds):
        held_out = torch.from_numpy(folds == fold)
        train, test = standardise(features[~held_out], features[held_out])
        prediction, truth = method(train, targets[~held_out], test), targets[held_out]
        if is_values:
            scores[held_out] = (prediction - truth).abs()[:, 0]
        else:
            scores[held_out] = (prediction.argmax(dim=1) == truth.argmax(dim=1)).double()
    means = [scores[torch.from_numpy(folds == fold)].mean().item() for fold in np.unique(folds)]
    return scores.mean().item(), float(np.std(means, ddof=1))


def _are_values(labels: list[str], kind: str, path: str) -> bool:
    """Tells whether labels are values to regress; refuses labels that do not fit `kind`."""
    if kind == "values" and not all_numbers(labels):
        raise InputError(f"{path} has labels that are no numbers; leave out --kind values.")
    if len(set(labels)) < 2:
        raise InputError(f"{path} has one label alone, {labels[0]}; two or more are needed.")
    is_values = all_numbers(labels) and len(set(labels)) > MOST_CLASSES
    if kind == "values" or (kind == "auto" and is_values):
        return True
    if len(set(labels)) == len(labels):
        raise InputError(
            f"{path} has another label for each image, such as {list_first(labels, 3)}; classes "
            "have several images, and numbers are values by --kind values."
        )
    return False


def _targets(labels: list[str], classes: list[str] | None) -> Tensor:
    if classes is None:
        return torch.tensor([[float(label)] for label in labels], dtype=torch.float64)
    indices = torch.tensor([classes.index(label) for label in labels])
    return torch.nn.functional.one_hot(indices, len(classes)).double()


def _describe(mean: float, deviation: float) -> str:
    return f"{mean:.3g} ± {deviation:.2g}"


def _describe_labels(table: Labelled, classes: list[str] | None, path: str, label: str) -> str:
    counts = Counter(table.labels)
    values = [] if classes else [float(each) for each in table.labels]
    words = (
        "classes " + ", ".join(f"{name} ({counts[name]})" for name in classes)
        if classes
        else f"values from {min(values):g} to {max(values):g}"
    )
    patients = len(set(table.patients))
    return f"{label} of {path}: {words}; {len(table.labels)} images of {patients} patients"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]


COMMANDS = probe
