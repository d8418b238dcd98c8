"""Chooses slices of a volume, and turns them the way radiologists look at them."""

import math

import numpy as np

from .volumes import Volume

AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}  # the RAS axis that a plane is perpendicular to


def picture(values: np.ndarray, plane: str, index: int) -> np.ndarray:
    """Cuts one slice of an RAS volume and turns it the way radiologists look at it.

    Args:
        values: (X, Y, Z), RAS.
        plane: "axial" (anterior up) or "coronal" (superior up), both with the patient's right on
            the left of the picture; "sagittal" (superior up, anterior on the left).
        index: slice number along the axis that the plane is perpendicular to.

    Returns:
        (rows, columns), to be drawn with row 0 on top.
    """
    return np.take(values, index, axis=AXIS[plane])[::-1, ::-1].T


def picture_size_mm(volume: Volume, plane: str) -> tuple[float, float]:
    """Returns width and height in mm of a picture of this plane."""
    width_mm, height_mm = np.delete(volume.values.shape * volume.spacing_mm, AXIS[plane])
    return float(width_mm), float(height_mm)


def organ_slices(labels: np.ndarray) -> dict[str, int]:
    """Picks, per plane, the slice that cuts most labels, and of those the one with most voxels."""
    voxels = np.nonzero(labels > 0)
    if not len(voxels[0]):
        return {plane: labels.shape[axis] // 2 for plane, axis in AXIS.items()}
    found, label_index = np.unique(labels[voxels], return_inverse=True)
    slices = {}
    for plane, axis in AXIS.items():
        shape = (labels.shape[axis], len(found))
        counts = np.bincount(voxels[axis] * len(found) + label_index, minlength=math.prod(shape))
        counts = counts.reshape(shape)  # (slices, labels), voxels
        slices[plane] = int(np.lexsort((counts.sum(1), (counts > 0).sum(1)))[-1])
    return slices


def changed_slice(
    original: np.ndarray, corrupted: np.ndarray, plane: str, window: tuple[float, float]
) -> int:
    """Picks the slice in which the corruption changed most: the largest sum of |difference|.

    Intensities are clipped to the window first: a hole in air is large in HU, but not seen.
    """
    others = tuple(axis for axis in range(3) if axis != AXIS[plane])
    difference = np.clip(corrupted, *window) - np.clip(original, *window)
    return int(np.abs(difference).sum(axis=others).argmax())
