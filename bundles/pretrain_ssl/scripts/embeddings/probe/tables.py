"""Reads a table of embeddings and a table of labels, and joins their rows by image."""

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...common.errors import InputError, list_first

IMAGE, PATIENT = "image", "patient"


@dataclass(frozen=True)
class Labelled:
    """Holds the embeddings of images that have a label.

    Args:
        stages: (N, F) float64 by the number of the encoder's stage.
        labels: (N,) as they stand in the table.
        patients: (N,); without a column of them each image is a patient.
        notes: a sentence on each row left out.
    """

    stages: Mapping[int, Tensor]
    labels: list[str]
    patients: list[str]
    notes: list[str]


def read_labelled(embeddings: str, labels: str, label: str) -> Labelled:
    """Joins two CSV files by their column `image`: a path as in the embeddings, or a file's name.

    Args:
        embeddings: `embeddings.csv` of an inference.
        labels: with the columns `image`, `label` and perhaps `patient`.
        label: the name of the labels' column.

    Raises:
        InputError: a file or column is missing, a cell is empty or no number, an image stands
            twice, or no image is in both files.
    """
    rows = _read(embeddings, [IMAGE])
    stages = _stages(embeddings, rows)
    numbers = _by_image(embeddings, [row[IMAGE] for row in rows])
    label_rows = _read(labels, [IMAGE, label])
    _by_image(labels, [row[IMAGE] for row in label_rows])
    names = Counter(Path(image).name for image in numbers)
    by_name = {Path(image).name: n for image, n in numbers.items() if names[Path(image).name] == 1}
    places = [numbers.get(row[IMAGE], by_name.get(row[IMAGE])) for row in label_rows]
    twice = [place for place, count in Counter(places).items() if place is not None and count > 1]
    if twice:
        raise InputError(f"{labels} names {rows[twice[0]][IMAGE]} twice; leave one row.")
    kept = [(place, row) for place, row in zip(places, label_rows) if place is not None]
    if not kept:
        raise InputError(
            f"no image of {labels} (such as {label_rows[0][IMAGE]}) is in {embeddings} (such as "
            f"{rows[0][IMAGE]}); the column {IMAGE} has a path as there, or a file's name."
        )
    for column in {label, PATIENT} & set(label_rows[0]):
        empty = next((row[IMAGE] for _, row in kept if not row[column]), None)
        if empty:
            raise InputError(f"{labels} has no {column} for {empty}; fill it in, or leave it out.")
    order = [place for place, _ in kept]
    without_label = [row[IMAGE] for n, row in enumerate(rows) if n not in set(order)]
    without_embedding = [row[IMAGE] for place, row in zip(places, label_rows) if place is None]
    return Labelled(
        stages={stage: features[order] for stage, features in stages.items()},
        labels=[row[label] for _, row in kept],
        patients=[row.get(PATIENT) or row[IMAGE] for _, row in kept],
        notes=_notes(embeddings, without_embedding) + _notes(labels, without_label),
    )


def _read(path: str, columns: list[str]) -> list[dict[str, str]]:
    """Reads the rows of a CSV file as texts without spaces around them."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [
                {name: (value or "").strip() for name, value in row.items() if name}
                for row in reader
            ]
            names = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV file ({error}); give another.") from None
    missing = [column for column in columns if column not in names]
    if missing:
        raise InputError(
            f"{path} has no column {missing[0]}; it has {list_first(names) or 'none'}."
        )
    if not rows:
        raise InputError(f"{path} has no row below its names of columns; give another file.")
    return rows


def _stages(path: str, rows: list[dict[str, str]]) -> dict[int, Tensor]:
    """Reads the columns `stage<s>_<f>` as (N, F) by stage."""
    columns: dict[int, list[str]] = {}
    for name in rows[0]:
        if match := re.fullmatch(r"stage(\d+)_\d+", name):
            columns.setdefault(int(match[1]), []).append(name)
    if not columns:
        raise InputError(f"{path} has no column stage0_0 or the like; give an embeddings.csv.")
    for row in rows:
        for names in columns.values():
            for name in names:
                if not _is_number(row[name]):
                    raise InputError(
                        f"{path} has {row[name] or 'nothing'} as {name} of {row[IMAGE]}, and not a "
                        "finite number; compute the embeddings again."
                    )
    return {
        stage: torch.tensor(
            [[float(row[name]) for name in names] for row in rows], dtype=torch.float64
        )
        for stage, names in columns.items()
    }


def _by_image(path: str, images: list[str]) -> dict[str, int]:
    """Returns the row of each image; refuses an image with two."""
    twice = next((image for image, count in Counter(images).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{path} names {twice or 'an image without a name'} twice; leave one row.")
    return {image: number for number, image in enumerate(images)}


def _notes(path: str, images: list[str]) -> list[str]:
    return [f"left out, as {path} has no row of them: {list_first(images)}"] if images else []


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def all_numbers(labels: list[str]) -> bool:
    """Tells whether each label is a finite number."""
    return all(map(_is_number, labels))
