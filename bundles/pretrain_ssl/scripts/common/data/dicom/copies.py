# generated from common/data/dicom/copies.py, do not edit: `make copies`
"""Finds copies among DICOM files: the same header, and the same bytes."""

import json
from collections import defaultdict
from pathlib import Path

OWN = {"name", "path", "is_copy"}  # what an item has beside its header


def mark_copies(files: list[dict]) -> list[dict]:
    """Returns the files, the largest first, each with `is_copy`: of an earlier file.

    A UID alone proves no copy: anonymisers set one for all slices. A file that was cut short is a
    copy of the whole one.

    Args:
        files: headers of `headers.read`, each with its `path`.
    """
    firsts = defaultdict(list)
    marked = []
    for item in sorted(files, key=lambda item: (-_size(item), item["path"])):
        header = json.dumps({key: item[key] for key in item if key not in OWN}, sort_keys=True)
        is_copy = "broken" not in item and any(_is_start(item, first) for first in firsts[header])
        marked.append({**item, "is_copy": is_copy})
        if not is_copy:
            firsts[header].append(item)
    return marked


def _is_start(item: dict, first: dict) -> bool:
    """Tells whether a file's bytes are those with which another one starts."""
    content = Path(item["path"]).read_bytes()
    return Path(first["path"]).read_bytes()[: len(content)] == content


def _size(item: dict) -> int:
    try:
        return Path(item["path"]).stat().st_size
    except OSError:
        return 0
