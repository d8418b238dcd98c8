# generated from common/data/dicom/volume.py, do not edit: `make copies`
"""A volume on its way into the corpus, and why one does not get there."""

from dataclasses import dataclass, field

import numpy as np

MIN_SLICES = 16  # of a volume in a corpus


class RejectedError(Exception):
    """A volume that does not belong into the corpus.

    Args:
        kind: the reason without figures or names, by which rejected volumes are counted.
        detail: what was found, in words; may be empty.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail = kind, detail


@dataclass
class Volume:
    """A volume as its source has it.

    Args:
        values: (X, Y, Z), HU or what claims to be; any real type.
        affine: 4x4, from voxel to patient coordinates in mm, RAS.
        repairs: what was mended, in words.
    """

    values: np.ndarray
    affine: np.ndarray
    repairs: list[str] = field(default_factory=list)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance of neighbouring voxels along each axis."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def check_slices(count: int, least: int = MIN_SLICES) -> None:
    """Raise RejectedError for fewer slices than a volume needs."""
    if count < least:
        raise RejectedError("too small", f"{count} slices, at least {least} are needed")


def first_line(error: BaseException) -> str:
    """An error in one line; it may hold a path, so that it goes to the private tables alone."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
