# generated from common/segmentation/split_notes.py, do not edit: `make copies`
"""Reads and checks what a datalist notes about its cases' places in splits."""

from typing import Any

from ..errors import InputError

FOLDS = 5
PARTS = ("training", "validation")
SPLIT_KEYS = {  # of a case, and the values that each takes, in words
    "fold": f"0 to {FOLDS - 1}",
    "rank": "whole numbers from 0",
    "split_24_6": " or ".join(PARTS),
}


def read_notes(cases: list[dict], note: str) -> list | None:
    """Reads a note of every case; None where no case has the note.

    Args:
        cases: each with an `image`'s path.
        note: one of `SPLIT_KEYS`.

    Raises:
        InputError: only some cases have the note, or one has a value that the note does not take.
    """
    lacking = [case for case in cases if note not in case]
    if lacking and len(lacking) < len(cases):
        raise InputError(
            f"{lacking[0]['image']} has no {note} in the datalist, others have; give it to all or "
            "to none."
        )
    if lacking or not cases:
        return None
    wrong = next((case for case in cases if not _fits(note, case[note])), None)
    if wrong is not None:
        raise InputError(
            f"{wrong['image']} has {note} {wrong[note]!r} in the datalist; it takes "
            f"{SPLIT_KEYS[note]}."
        )
    return [case[note] for case in cases]


def _fits(note: str, value: Any) -> bool:
    """Tells whether a value is one that a note takes; 2.0 is a whole number, True is none."""
    if note == "split_24_6":
        return value in PARTS
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    is_whole = value >= 0 and (isinstance(value, int) or value.is_integer())
    return is_whole and (note == "rank" or value < FOLDS)
