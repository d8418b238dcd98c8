# generated from common/data/msd_orientation.py, do not edit: `make copies`
"""Corrects headers that reverse x and y: anatomy in LPS under the affine of RAS.

Images of some tasks of the Medical Segmentation Decathlon are so. The correction turns the affine
about the z axis of patient coordinates; done twice it is none.
"""

import json
import logging
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..runtime.distributed import rank
from .nifti_affine import LPS_TO_RAS

logger = logging.getLogger(__name__)

MSD_ORIENTATION = "msd_orientation"  # key of a datalist, and of an image's metadata


def turn(affine: np.ndarray) -> np.ndarray:
    """Corrects an affine, or gives the file's back from the corrected one.

    Args:
        affine: 4x4, from voxel to patient coordinates.
    """
    return LPS_TO_RAS @ np.asarray(affine, dtype=np.float64)


def read_msd_orientation(datalist: str | None, name: str) -> bool:
    """Reads from a datalist whether the headers of its images are corrected; false by default.

    A line says so where the datalist has the key, and for every task of the Decathlon.

    Args:
        datalist: Decathlon JSON, perhaps with the key `msd_orientation`.
        name: of the task.

    Raises:
        InputError: the value is neither true nor false.
    """
    value = _read_key(datalist)
    if value is not None and not isinstance(value, bool):
        raise InputError(
            f"datalist {datalist}: {MSD_ORIENTATION} is {value!r}, and takes true or false; mend "
            "it."
        )
    if rank() == 0 and value is not None:
        meaning = "x and y of the headers are turned" if value else "the headers count"
        logger.info(f"{MSD_ORIENTATION} is {value} in {datalist}: {meaning}")
    elif rank() == 0 and name.startswith("Task"):
        logger.info(
            f"{MSD_ORIENTATION} is False: the headers count; for the Decathlon's own images give a "
            "--datalist of `datalist msd`"
        )
    return bool(value)


def _read_key(datalist: str | None) -> object:
    """Reads the key; None where there is none, or no JSON, which the datalist's reader reports."""
    try:
        content = json.loads(Path(datalist).read_text()) if datalist else {}
    except (OSError, ValueError):
        return None
    return content.get(MSD_ORIENTATION) if isinstance(content, dict) else None
