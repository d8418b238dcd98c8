"""Decides whether the slices of one series' UID in several folders are one series."""

from collections.abc import Iterable

import numpy as np

from . import geometry, identity
from .copies import mark_copies


def find_obstacle(folders: Iterable[list[dict]]) -> str | None:
    """Returns in words why the slices of several folders are not put together; None if they are.

    They are put together where all UIDs and the patient are there and agree, and instance numbers
    run through all folders in the order of the slices' positions. One folder that contradicts
    shows that the UID is not the series' own, so that each folder is a series of its own.

    Args:
        folders: of each the slices with one `headers.series_key`, each with its `path`.
    """
    slices: list[dict] = []
    for items in folders:
        whole = [item for item in items if "broken" not in item]
        if contradiction := identity.find_contradiction([*slices[:1], *whole]):
            return contradiction
        if any(not geometry.has_geometry(item) for item in whole):
            return "slices have no position"
        if missing := identity.find_missing(whole[:1]):
            return missing
        slices += whole
    slices = [item for item in mark_copies(slices) if not item["is_copy"]]
    if missing := identity.find_missing(slices):
        return missing
    if uneven := geometry.find_uneven_grid(slices):
        return uneven
    numbers = [item["number"] for item in slices]
    if len(set(numbers)) < len(numbers):
        return "InstanceNumber repeats"
    normal = geometry.plane_normal(slices)
    heights = np.array([item["position"] for item in slices]) @ normal
    if not identity.follows(numbers, heights):
        return "InstanceNumber does not follow the positions"
    return None
