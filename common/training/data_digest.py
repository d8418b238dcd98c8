"""Digests the list of images of a training, to tell on resume whether they are the same."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from ..data.image_files import list_image_files


def digest_data(loader: DataLoader | Iterable) -> str | None:
    """Returns a digest of the names and sizes of all files in a data set's list, in its order.

    Folders do not count, so that a data set may be moved. Of an image in two files both count.

    Args:
        loader: its data set has `data`, a list of items; an item holds paths by key, or lists of
            them. A path of a DICOM series is its folder.

    Returns:
        64 hexadecimal digits; None where the loader's list is not known.
    """
    items = getattr(getattr(loader, "dataset", None), "data", None)
    if items is None:
        return None
    digest = hashlib.sha256()
    for item in items:
        values = sorted(item.items()) if isinstance(item, Mapping) else [("", item)]
        files = [[key, *_names_and_sizes(value)] for key, value in values]
        digest.update(json.dumps(files).encode())
    return digest.hexdigest()


def _names_and_sizes(value: Any) -> Iterator[tuple[str, int]]:
    """Yields name and size in bytes of each file; nothing for values that are no paths."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _names_and_sizes(part)
    elif isinstance(value, (str, os.PathLike)):
        path = Path(value)
        others = [file for file in list_image_files(path) if file != path]
        for file in (path, *others):
            yield file.name, file.stat().st_size if file.is_file() else 0
        if path.is_dir():
            with os.scandir(path) as entries:
                files = [(one.name, one.stat().st_size) for one in entries if one.is_file()]
            yield from sorted(files)
