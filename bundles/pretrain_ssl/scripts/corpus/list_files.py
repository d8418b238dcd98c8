"""The folders of an archive and their files, by names, sizes and times alone."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


def folders(source: Path) -> Iterator[tuple[str, list[str] | str]]:
    """Every folder from `source` down with the names of its files; relative, "" is `source`.

    Of a folder that cannot be opened the reason takes the names' place.

    Links to folders are followed, but no folder is entered twice: links that loop end there, and a
    folder inside `source` is found by its own name, not by a link's.
    """
    waiting, seen = [(source, False)], {os.path.realpath(source)}
    links = []
    while waiting or links:
        folder, is_link = waiting.pop() if waiting else links.pop(0)
        if is_link:
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
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
                seen.add(os.path.realpath(entry.path))
                waiting.append((Path(entry.path), False))
            elif os.path.isdir(entry.path):
                links.append((Path(entry.path), True))
            else:
                names.append(entry.name)
        yield relative, names


def listing(folder: Path, names: list[str] | str) -> str:
    """A hash of the files' names, sizes and times: equal as long as nothing has changed."""
    digest = hashlib.sha256()
    for name in [names] if isinstance(names, str) else names:
        digest.update(json.dumps([name, *stamp(folder / name)]).encode())
    return digest.hexdigest()


def stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in ns; zeros where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
