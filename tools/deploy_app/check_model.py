"""Checks the model and reads its metadata; needs MONAI alone, not the SDK."""

import json
import logging
from importlib.util import find_spec
from pathlib import Path

from common.errors import InputError

logger = logging.getLogger(__name__)


def read_metadata(model: Path) -> dict:
    """Reads the metadata of a segmentation bundle's folder, or of its exported file.

    Args:
        model: the folder, or a TorchScript file that `ckpt_export` wrote.

    Raises:
        InputError: it is neither; weights are missing, or older than what the SDK would take; the
            bundle has no labels.
    """
    if not model.exists():
        raise InputError(f"{model} does not exist; give -m a bundle's folder or TorchScript file.")
    metadata = _of_folder(model) if model.is_dir() else _of_file(model)
    try:
        labels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    except (KeyError, TypeError):
        labels = {}
    if len(labels) < 2:
        raise InputError(f"{model} names no labels; give -m a segmentation bundle.")
    if model.is_dir():
        _check_weights(model)
    return metadata


def _of_folder(bundle: Path) -> dict:
    path = bundle / "configs/metadata.json"
    if not path.is_file():
        raise InputError(
            f"{bundle} is no bundle: it has no configs/metadata.json; give -m the folder of a "
            "segmentation bundle, or a TorchScript file."
        )
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); copy the bundle anew.") from error


def _check_weights(bundle: Path) -> None:
    """Raises an InputError unless the SDK finds weights, and the newest where there are two."""
    weights = bundle / "models/model.pt"
    exported = weights.with_suffix(".ts")  # the SDK's choice where both are there
    if exported.is_file():
        if weights.is_file() and exported.stat().st_mtime < weights.stat().st_mtime:
            raise InputError(
                f"{exported}, which the SDK takes before model.pt, is older than model.pt; remove "
                "it, or export it again."
            )
        logger.warning(f"{exported} is served: the SDK takes it before model.pt")
    elif not weights.is_file():
        raise InputError(f"{weights} is missing; train the bundle, or put its weights there.")


def _of_file(path: Path) -> dict:
    from monai.data import load_net_with_metadata  # takes seconds, and a folder does without

    try:
        metadata = load_net_with_metadata(str(path))[1]
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} is no TorchScript file; export one by `python -m monai.bundle ckpt_export`, "
            "or give -m the bundle's folder."
        ) from error
    if find_spec("scripts") is None:
        raise InputError(
            f"{path} names the bundle's own transforms; set PYTHONPATH to the bundle's folder."
        )
    return metadata
