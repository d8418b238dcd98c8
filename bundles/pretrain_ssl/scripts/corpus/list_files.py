"""Lists an archive's folders and files, by names, sizes and times alone."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


def list_folders(source: Path) -> Iterator[tuple[str, list[str] | str]]:
    """Lists every folder from `source` down, with the names of its files.

    Links to folders are followed, but no folder is entered twice: links that loop end there, and a
    folder inside `source` is listed by its own name, not by a link's.

    Yields:
        The folder's path relative to `source`, "" for `source` itself, and its files' names; for a
        folder that cannot be opened the reason, a text, takes the names' place.
    """
    subfolders, links = [(source, False)], []
    real_paths = {os.path.realpath(source)}
    while subfolders or links:
        folder, is_link = subfolders.pop() if subfolders else links.pop(0)
        if is_link:
            real_path = os.path.realpath(folder)
            if real_path in real_paths:
                continue
            real_paths.add(real_path)
        relative = os.path.relpath(folder, source)
        relative = "" if relative == "." else relative
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield relative, error.strerror
            continue
        names = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                real_paths.add(os.path.realpath(entry.path))
                subfolders.append((Path(entry.path), False))
            elif os.path.isdir(entry.path):
                links.append((Path(entry.path), True))
            else:
                names.append(entry.name)
        yield relative, names


def hash_files(folder: Path, names: list[str] | str) -> str:
    """Hashes the files' names, sizes and times: equal as long as no file has changed."""
    digest = hashlib.sha256()
    for name in [names] if isinstance(names, str) else names:
        digest.update(json.dumps([name, *size_and_time(folder / name)]).encode())
    return digest.hexdigest()


def size_and_time(path: Path) -> tuple[int, int]:
    """Returns a file's size in bytes and time of change in ns; zeros where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
