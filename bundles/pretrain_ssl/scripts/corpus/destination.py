"""The folder of a corpus: what a preparation is asked to do, and that two do not collide there."""

import csv
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.atomic_write import write_text
from ..common.errors import InputError
from .records import Settings


def checked(
    source: str,
    destination: str,
    workers: int | None,
    validation_fraction: float,
    spacing_mm: float,
    body_above_hu: float,
) -> Settings:
    """The settings, or an InputError for a value that cannot be used."""
    origin, target = Path(source).resolve(), Path(destination).resolve()
    if not origin.is_dir():
        raise InputError(f"{source} is not a folder; give SOURCE the folder of the archive.")
    if target == origin or origin in target.parents:
        raise InputError(
            f"{destination} lies in {source}, which is never written to; choose another."
        )
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers} is no number of processes; give 1 or more.")
    if not 0 < validation_fraction < 1:
        raise InputError(f"--validation_fraction {validation_fraction} is not between 0 and 1.")
    if not spacing_mm > 0:
        raise InputError(f"--spacing_mm {spacing_mm} is no spacing; give millimetres, such as 1.5.")
    return Settings(str(origin), float(spacing_mm), float(body_above_hu))


@contextmanager
def locked(destination: Path) -> Iterator[None]:
    """Hold the destination for this process; InputError where another one has it."""
    path = destination / "private" / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{destination} is being prepared already; wait for that.") from error
        yield


def remove_leftovers(destination: Path) -> None:
    """Remove what processes that were killed were writing: it has hidden names."""
    for pattern in ("volumes/.*", "private/records/*/*/.*"):
        for path in destination.glob(pattern):
            path.unlink()


def keep_settings(destination: Path, settings: Settings) -> None:
    """Write the settings, or compare with those of an earlier preparation.

    Raises:
        InputError: they differ, so that the volumes there are others'.
    """
    path = destination / "private" / "settings.json"
    if not path.is_file():
        if any(destination.glob("volumes/*")):
            raise InputError(
                f"{destination} holds volumes of something else; choose another folder."
            )
        write_text(path, settings.text())
    elif path.read_text() != settings.text():
        before = " ".join(path.read_text().split())
        raise InputError(
            f"{destination} was prepared with {before}; repeat that, or choose another folder."
        )


def read_patients(path: str) -> dict[str, str]:
    """Patients by path relative to the source.

    Raises:
        InputError: no such table, or it lacks a column.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if lacking := {"source", "patient"} - set(reader.fieldnames or ()):
                raise KeyError(*lacking)
            rows = list(reader)
        return {os.path.normpath(row["source"]): row["patient"].strip() for row in rows}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"--patients {path} cannot be read ({type(error).__name__}: {error}); it needs the "
            "columns source and patient."
        ) from error
