"""Reads `dataset.json` of a Decathlon task in its dialects: the archive's, nnU-Net's, or none."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.errors import InputError

NAME = "dataset.json"


@dataclass
class Description:
    """Holds what `dataset.json` says; None where it does not say.

    Args:
        name: of the task, such as "Spleen".
        training: image and label of each item, as written.
        test: images, as written.
        labels: name of each label by its number.
        channels: name of each channel of an image.
        n_training: number of labelled images.
    """

    name: str | None = None
    training: list[tuple[str, str]] | None = None
    test: list[str] | None = None
    labels: dict[int, str] | None = None
    channels: list[str] | None = None
    n_training: int | None = None
    lines: list[str] = field(default_factory=list)


def read_description(root: Path) -> Description:
    """Reads the `dataset.json` of a folder; an empty description and a line where it is missing.

    Raises:
        InputError: the file is no JSON, or a part of it is in no known form.
    """
    path = root / NAME
    if not path.is_file():
        line = f"{root} has no {NAME}: images and labels are those of its folders"
        return Description(lines=[line])
    try:
        # the paths are ASCII; descriptions come in several encodings
        content = json.loads(path.read_bytes().decode("utf-8-sig", errors="replace"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); mend or remove it.") from error
    try:
        return Description(
            name=_text(content.get("name")),
            training=_read(content.get("training"), _pair),
            test=_read(content.get("test"), _image),
            labels=_labels(content.get("labels")),
            channels=_channels(content.get("channel_names", content.get("modality"))),
            n_training=_whole(content.get("numTraining")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is in no known form ({error}); mend it, or remove it to take the folders."
        ) from error


def _read(items: Any, read: Any) -> list | None:
    """Reads a list of items; None for none or an empty list, as nnU-Net writes."""
    if items and not isinstance(items, list):
        raise ValueError(f"{items!r} is no list")
    return [read(item) for item in items] if items else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _image(item: Any) -> str:
    """Reads the path of an image: a text, or `{"image": path}`."""
    path = item["image"] if isinstance(item, dict) else item
    if not isinstance(path, str) or not path:
        raise ValueError(f"{item!r} names no image")
    return path.replace("\\", "/")


def _pair(item: Any) -> tuple[str, str]:
    """Reads the paths of an image and its label; a label that is not named has the image's name."""
    image = _image(item)
    label = item.get("label") if isinstance(item, dict) else None
    return image, _image(label) if label else Path(image).name


def _labels(labels: Any) -> dict[int, str] | None:
    """Reads names by number: of `{"1": "spleen"}`, or of nnU-Net's `{"spleen": 1}`."""
    if not labels:
        return None
    if all(str(key).isdigit() for key in labels):
        return {int(key): str(name) for key, name in labels.items()}
    return {int(number): str(name) for name, number in labels.items()}


def _channels(channels: Any) -> list[str] | None:
    """Reads the channels of `{"0": "CT"}`, `["CT"]` or `"CT"`."""
    if not channels:
        return None
    if isinstance(channels, str):
        return [channels]
    if isinstance(channels, dict):
        channels = [channels[key] for key in sorted(channels, key=int)]
    return [str(name) for name in channels]
