# generated from common/training/served_runs.py, do not edit: `make copies`
"""Keeps the checkpoints of one training by MONAI Label, whose every training is a new run."""

import json
import logging
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .run_lock import lock

logger = logging.getLogger(__name__)

SERVED = "by_monai_label"  # in the config.json of a run that MONAI Label started


def mark_and_remove_earlier(folders: Iterable[Path]) -> dict[str, bool]:
    """Returns the mark of a run by MONAI Label, and removes the checkpoints of its earlier ones.

    Args:
        folders: of earlier runs.

    Returns:
        What the new run's config.json gets; nothing where MONAI Label does not run.
    """
    if "monailabel" not in sys.modules:
        return {}
    _remove_checkpoints(folders)
    return {SERVED: True}


def _remove_checkpoints(folders: Iterable[Path]) -> None:
    """Removes the checkpoints of MONAI Label's earlier trainings, 2 GB each at full size.

    It never resumes: each training starts anew, from `models/model.pt`. Curves and pictures stay.
    A run from a command line or from somebody's Python is left alone, and so is one that another
    process still trains.
    """
    for folder in folders:
        checkpoints = folder / "checkpoints"
        if not _is_served(folder) or not checkpoints.is_dir():
            continue
        try:
            lock(folder)
        except InputError:
            logger.info(f"{checkpoints} stays: another process trains there")
            continue
        shutil.rmtree(checkpoints, ignore_errors=True)
        logger.info(f"{checkpoints} of an earlier training by MONAI Label is removed")


def _is_served(folder: Path) -> bool:
    """Tells whether MONAI Label started a run."""
    try:
        return bool(json.loads((folder / "config.json").read_text()).get(SERVED))
    except (OSError, ValueError, AttributeError):
        return False
