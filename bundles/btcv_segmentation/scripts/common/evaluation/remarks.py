# generated from common/evaluation/remarks.py, do not edit: `make copies`
"""Keeps what the means of an evaluation do not show: cases that failed, cases that were trained on.

Both are lists of cases in `summary.json`: `failed` and `trained_on`. None is not known.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import list_first
from ..weights.training_images import KEY, digest_image, split_by_version

logger = logging.getLogger(__name__)

Remarks = dict[str, list[str] | None]
FAILED, TRAINED_ON = "failed", "trained_on"


def find_trained(
    images: Iterable[str], notes: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str] | None, list[str]]:
    """Finds the images that weights were trained on.

    Args:
        images: paths.
        notes: of the weights, by file; see `training_images`.

    Returns:
        The images, and the files of weights that were trained on some of them. None in place of
        the images where no file tells its own. Digests of an older kind tell nothing; a line in
        the log names their file.
    """
    seen = {}
    for file, note in notes.items():
        current, older = split_by_version(note.get(KEY) or [])
        seen |= {file: current} if current else {}
        if older:
            logger.warning(
                f"{file} notes {len(older)} training images by older digests, which images of "
                "other patients may share: these are not compared"
            )
    if not seen:
        return None, []
    digests = {image: digest_image(image) for image in images}
    files = [file for file, known in seen.items() if known & {*digests.values()}]
    return [image for image, one in digests.items() if one in set().union(*seen.values())], files


def trained_on_line(count: int, cases: int, files: Sequence[str]) -> str:
    """Says how many cases were trained on: `2 of 6 cases were trained on by models/model.pt: …`."""
    verb = "case was" if cases == 1 else "cases were"
    by = f" by {list_first(files, 2)}" if files else ""
    figures = "its figures tell" if cases == 1 else "their figures tell"
    return f"{count} of {cases} {verb} trained on{by}: {figures} nothing about new images"


def remark_lines(summary: Mapping[str, Any]) -> list[str]:
    """Formats the lines that follow the table of means; none where there is nothing to say."""
    failed, trained_on = summary.get(FAILED), summary.get(TRAINED_ON)
    lines = [f"failed, in no mean ({len(failed)}): {list_first(failed)}"] if failed else []
    if trained_on:
        lines.append(trained_on_line(len(trained_on), summary["cases"], []))
    return lines


def read_remarks(folder: str | Path) -> Remarks:
    """Reads the remarks of an evaluation; of an older one they are unknown.

    So they are where the file is missing or damaged, and a warning says it.
    """
    path = Path(folder, "summary.json")
    try:
        summary = json.loads(path.read_text())
        return {name: summary.get(name) for name in (FAILED, TRAINED_ON)}
    except (OSError, ValueError, AttributeError):
        logger.warning(f"{path} cannot be read: cases that failed or were trained on are not known")
        return {FAILED: None, TRAINED_ON: None}


def join_remarks(remarks: Sequence[Remarks]) -> Remarks:
    """Joins the remarks of several evaluations; what none of them knows stays unknown."""
    return {
        name: sorted({case for one in remarks for case in one[name] or []})
        if any(one[name] is not None for one in remarks)
        else None
        for name in (FAILED, TRAINED_ON)
    }
