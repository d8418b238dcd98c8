# generated from common/data/dicom/volume.py, do not edit: `make copies`
"""Holds a volume that was read, and the reason why one is rejected."""

from dataclasses import dataclass, field

import numpy as np


class RejectedError(Exception):
    """Rejects a volume that cannot be used.

    Args:
        kind: the reason without figures or names, by which rejected volumes are counted.
        detail: the finding in words; may be empty.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail = kind, detail


@dataclass
class Volume:
    """Holds a volume's voxels, affine and repairs.

    Args:
        values: (X, Y, Z), HU or the source's values for HU; any real type.
        affine: 4x4, from voxel to patient coordinates in mm, RAS.
        repairs: a text each, such as "gantry tilt: 15.0 degrees".
    """

    values: np.ndarray
    affine: np.ndarray
    repairs: list[str] = field(default_factory=list)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Returns the distance of neighbouring voxels along each axis."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def check_slice_count(count: int, least: int) -> None:
    """Raises RejectedError for fewer slices than a volume needs."""
    if count < least:
        raise RejectedError("too small", f"{count} slices, at least {least} are needed")


def first_line(error: BaseException) -> str:
    """Returns an error's kind and first line, which may name a path: for private tables alone."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
