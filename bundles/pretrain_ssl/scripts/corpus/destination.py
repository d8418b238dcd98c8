"""Checks a preparation's settings, and keeps two preparations from writing to one folder."""

import csv
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common import leftovers
from ..common.atomic_write import explained, write_text
from ..common.errors import InputError
from ..common.file_lock import try_lock
from .records import Settings

logger = logging.getLogger(__name__)


def check_settings(
    source: str,
    destination: str,
    spacing_mm: float,
    body_above_hu: float,
) -> Settings:
    """Returns the settings; raises InputError for a value that cannot be used."""
    source_dir, corpus_dir = Path(source).resolve(), Path(destination).resolve()
    if not source_dir.is_dir():
        raise InputError(f"{source} is not a folder; give SOURCE the folder of the archive.")
    if source_dir in (corpus_dir, *corpus_dir.parents):
        raise InputError(
            f"{destination} lies in {source}, which is never written to; choose another."
        )
    return Settings(str(source_dir), float(spacing_mm), float(body_above_hu))


@contextmanager
def lock(destination: Path) -> Iterator[bool]:
    """Makes the destination where it is missing, and locks it for this process.

    Yields:
        Whether it is locked; on a file system without locks it is not, with a warning.

    Raises:
        InputError: another process holds the lock, or the folder cannot be written.
    """
    path = destination / "private" / ".lock"
    with explained(destination, "choose another folder, or mend its rights"):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        is_locked = try_lock(file, f"{destination} is being prepared already; wait for that.")
        if not is_locked:
            logger.warning(
                f"{destination} cannot be locked: do not start the same preparation twice"
            )
        yield is_locked


def remove_leftovers(destination: Path, is_locked: bool = True) -> None:
    """Removes the files that killed processes left half written, and no other.

    Args:
        destination: the corpus' folder.
        is_locked: no other process writes there, see `lock`.
    """
    for folder in ("volumes", "private"):
        leftovers.remove_leftovers(destination / folder, is_locked=is_locked)


def keep_settings(destination: Path, settings: Settings) -> None:
    """Writes the settings, or compares them with those of an earlier preparation.

    Raises:
        InputError: the settings differ, so that earlier volumes are of another kind.
    """
    path = destination / "private" / "settings.json"
    if not path.is_file():
        if any(destination.glob("volumes/*")):
            raise InputError(
                f"{destination} holds volumes of something else; choose another folder."
            )
        write_text(path, settings.to_json())
    elif path.read_text() != settings.to_json():
        earlier = " ".join(path.read_text().split())
        raise InputError(
            f"{destination} was prepared with {earlier}; repeat that, or choose another folder."
        )


def read_patients(path: str) -> dict[str, str]:
    """Reads the table of patients by path relative to the source.

    Raises:
        InputError: there is no such table, or the table lacks a column.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := {"source", "patient"} - set(reader.fieldnames or ()):
                raise KeyError(*missing)
            rows = list(reader)
        return {os.path.normpath(row["source"]): row["patient"].strip() for row in rows}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"--patients {path} cannot be read ({type(error).__name__}: {error}); it needs the "
            "columns source and patient."
        ) from error
