# generated from common/weights/orientation.py, do not edit: `make copies`
"""Compares whether a run and the training of its weights corrected headers that reverse x and y."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .checkpoint_file import read_file
from .preprocessing_note import read_metadata

KEY = "msd_orientation"  # of the note, and of a checkpoint's configuration
OF_ELSEWHERE = (
    "right for images from elsewhere, but the Decathlon's own then lie turned by 180 degrees; for "
    f"these give the --datalist of the training, or --{KEY} True"
)
OF_DECATHLON = (
    "right for the Decathlon's own images where the training's needed no correction; else they lie "
    f"turned by 180 degrees, so give the --datalist of the training, or --{KEY} False"
)


def describe_other_orientation(
    notes: Mapping[str, Mapping[str, Any]], of_run: Mapping[str, Any]
) -> str:
    """Describes that a run corrects headers otherwise than the training of its weights.

    It is no mistake by itself: images from elsewhere are right without the correction.

    Args:
        notes: of the weights, by file.
        of_run: the run's own note.

    Returns:
        One line; empty where all agree. A note that says nothing of it is not compared.
    """
    ours = of_run.get(KEY)
    others = [file for file, note in notes.items() if note.get(KEY) not in (None, ours)]
    if ours is None or not others:
        return ""
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return (
        f"{others[0]}{more} was trained with {KEY} {not ours}, and this run has {ours}: "
        f"{OF_DECATHLON if ours else OF_ELSEWHERE}"
    )


def read_orientations(paths: Iterable[str], remedy: str) -> dict[str, bool]:
    """Reads from checkpoints whether their trainings corrected headers; leaves out unknown ones.

    The note beside the weights tells it, in older checkpoints the configuration of the run.

    Args:
        paths: files that PyTorch saved.
        remedy: see `checkpoint_file.read_file`.

    Raises:
        InputError: a file cannot be read.
    """
    found = {path: _find(read_file(path, remedy)) for path in paths}
    return {path: value for path, value in found.items() if isinstance(value, bool)}


def _find(content: Any) -> Any:
    if not isinstance(content, Mapping):
        return None
    network = content.get("network")
    note = read_metadata(network if isinstance(network, Mapping) else content) or {}
    if KEY in note:
        return note[KEY]
    try:
        config = json.loads(content.get("config", "{}"))
    except (TypeError, ValueError):  # another program's entry of that name
        return None
    return config.get(KEY) if isinstance(config, Mapping) else None
