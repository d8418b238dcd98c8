# generated from common/segmentation/write_datalist.py, do not edit: `make copies`
"""Writes a datalist of checked files, with folds and ranks; refuses one of files with problems."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic_write import write_text
from ..errors import InputError
from . import splits
from .check_files import CheckResult


def refuse(problems: list[str]) -> None:
    """Prints the problems and raises InputError, if there are any."""
    if problems:
        print("\n".join(problems), file=sys.stderr)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError(f"{count}, named above; nothing is written before all are mended.")


def add_folds(pairs: list[dict], seed: int) -> list[dict]:
    """Adds to each pair its fold, and its rank: fractions of the labels take the first ranks."""
    folds, ranks = splits.folds(pairs, seed), splits.ranks(pairs, seed)
    return [pair | {"fold": f, "rank": r} for pair, f, r in zip(pairs, folds, ranks)]


def list_missing_labels(result: CheckResult, names: Mapping[str, str]) -> list[str]:
    """Lists the labels that some images do not show, a line each."""
    lines = []
    for number, name in list(names.items())[1:]:
        images = [image for image, shown in result.numbers.items() if int(number) not in shown]
        if images:
            stems = ", ".join(Path(image).name.split(".")[0] for image in images)
            lines.append(f"{name} is not in {stems}")
    return lines


def write_datalist(
    output: str,
    root: Path,
    sections: dict[str, list],
    lines: list[str],
    notes: Mapping[str, Any] | None = None,
) -> str:
    """Writes the datalist, and returns the text to be printed.

    Args:
        output: the datalist, a JSON file; an earlier one is replaced.
        root: the folder to which the paths in the datalist are relative.
        sections: pairs or paths of images by the section's name.
        lines: come before the last line, which says how the datalist is used.
        notes: keys of the datalist before its sections.
    """
    relative = {name: [_relative(item, root) for item in items] for name, items in sections.items()}
    write_text(output, json.dumps({**(notes or {}), **relative}, indent=1) + "\n")
    return "\n".join([*lines, f"{output} is for --dataset_dir {root} --datalist {output}"])


def _relative(item: dict | Path, root: Path) -> dict | str:
    if isinstance(item, Path):
        return os.path.relpath(item, root)
    return item | {key: os.path.relpath(item[key], root) for key in ("image", "label")}
