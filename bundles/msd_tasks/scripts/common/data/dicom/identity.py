# generated from common/data/dicom/identity.py, do not edit: `make copies`
"""Checks that the slices of a series are of one person and one series, by their headers.

Anonymisers remove identifiers, or set all of them to one value. A volume is put together only from
slices that contradict each other in nothing, and that something beside their folder ties together:
either all UIDs and the patient, or instance numbers that follow the slices' positions.
"""

import re

import numpy as np

from .headers import TAGS
from .volume import RejectedError

# Attributes of the patient, the study, the series and the equipment, which a series has once
# (DICOM PS3.3, C.7.1.1, C.7.2.1, C.7.3.1, C.7.4.1, C.7.5.1), and the size and kind of its image.
SHARED = (
    *("patient", "person", "birth_date", "sex", "study", "study_date", "uid", "series_number"),
    *("frame", "manufacturer", "rows", "columns", "samples", "photometric"),
)
IDENTIFYING = ("patient", "study", "uid")
UID = re.compile(r"[0-9]+(\.[0-9]+)+")
SAME_HEIGHT_MM = 0.015


def find_contradiction(slices: list[dict]) -> str | None:
    """Returns in words the first tag of `SHARED` in which slices differ; None if they agree."""
    for name in SHARED:
        values = {item[name] for item in slices}
        if len(values) > 1:
            return f"{TAGS[name]} has {len(values)} values"
    return None


def find_missing(slices: list[dict]) -> str | None:
    """Returns in words what the slices lack for their UIDs to be trusted; None if nothing."""
    first = slices[0]
    missing = [TAGS[name] for name in IDENTIFYING if first[name] is None]
    if missing:
        return f"no {' and no '.join(missing)}"
    if first["study"] == first["uid"] or not UID.fullmatch(first["uid"]):
        return "SeriesInstanceUID is a placeholder"
    instances = [item["instance"] for item in slices]
    if None in instances:
        return "no SOPInstanceUID"
    if len(set(instances)) < len(instances):
        return "SOPInstanceUID repeats"
    return None


def check_identity(slices: list[dict], heights: np.ndarray) -> list[str]:
    """Checks that the slices of one folder are one series of one person.

    Args:
        slices: see `headers.read`, without copies.
        heights: of the slices along their normal, mm.

    Returns:
        Repairs: the properties that were assumed, in words.

    Raises:
        RejectedError: slices contradict each other, or nothing ties them together.
    """
    if contradiction := find_contradiction(slices):
        raise RejectedError("slices that contradict each other", contradiction)
    numbers = [item["number"] for item in slices]
    if has_repeated_number(numbers, heights):
        raise RejectedError(
            "slices that contradict each other", "InstanceNumber repeats at other positions"
        )
    missing, in_order = find_missing(slices), follows(numbers, heights)
    if not missing:
        believed = "InstanceNumber does not follow the positions: the UIDs are believed"
        return [] if in_order else [believed]
    if not in_order:
        detail = f"{missing}, and InstanceNumber does not follow the positions"
        raise RejectedError("no identity", detail)
    return [f"{missing}: its folder and InstanceNumber are taken for one series"]


def has_repeated_number(numbers: list[int | None], heights: np.ndarray) -> bool:
    """Tells whether slices at several heights have one number; one number for all is none."""
    if None in numbers or len(set(numbers)) == 1:
        return False
    height_by_number = {}
    return any(
        abs(height_by_number.setdefault(number, height) - height) > SAME_HEIGHT_MM
        for number, height in zip(numbers, heights)
    )


def follows(numbers: list[int | None], heights: np.ndarray) -> bool:
    """Tells whether numbers rise, or fall, from each height to the next."""
    if None in numbers:
        return False
    order = np.argsort(heights, kind="stable")
    steps = np.diff(np.array(numbers)[order])[np.diff(heights[order]) > SAME_HEIGHT_MM]
    return bool((steps > 0).all() or (steps < 0).all())
