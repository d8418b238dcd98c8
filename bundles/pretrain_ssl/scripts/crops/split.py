"""Splits unlabelled images into those that train and those that validate."""

import logging
import warnings
from pathlib import Path

import numpy as np
from monai.data import partition_dataset

from ..common.data.datalist import check_disjoint, find_images, read_datalist
from ..common.data.nifti_header import open_nifti, warn_of
from ..common.errors import InputError

logger = logging.getLogger(__name__)


def split_volumes(
    dataset_dir: str,
    datalist: str | None,
    validation_fraction: float,
    seed: int,
    n_volumes: int | None = None,
) -> dict[str, list[dict]]:
    """Lists the images for `training` and for `validation`, as `{"image": path}`.

    From the datalist's sections `training` and `validation` where it has them; otherwise a seeded
    share is held out, at least one image and not all. A single image serves both, with a warning.
    Without a datalist given, `datalist.json` in the folder counts: a prepared corpus has one, which
    keeps every patient on one side.

    Args:
        dataset_dir: the folder, or what the datalist's paths are relative to.
        datalist: Decathlon JSON.
        validation_fraction: share that is held out, where no section says which.
        seed: of the division, and of the order from which `n_volumes` are taken.
        n_volumes: training volumes that are kept; None keeps all. Validation stays as it is.

    Raises:
        InputError: there is no image, one cannot be used or both trains and validates, or there are
            fewer than `n_volumes`.
    """
    datalist = datalist or own_datalist(dataset_dir)
    if datalist:
        training = read_datalist(datalist, dataset_dir, "training", is_labelled=False)
        validation = read_datalist(datalist, dataset_dir, "validation", is_labelled=False)
    else:
        training, validation = [{"image": path} for path in find_images(dataset_dir)], []
    if not training and not validation:
        raise InputError(f"datalist {datalist} lists no image; add some under `training`.")
    if not validation and len(training) > 1:
        held_out = min(max(1, round(validation_fraction * len(training))), len(training) - 1)
        ratios = [len(training) - held_out, held_out]
        training, validation = partition_dataset(training, ratios, shuffle=True, seed=seed)
    check_disjoint({"training": training, "validation": validation})
    if not validation:
        warnings.warn("only one image: it is used for training and for validation", stacklevel=2)
        validation = training
    if n_volumes is not None:
        training = _first(training, n_volumes, seed)
    items = {"training": training, "validation": validation}
    return {
        name: [{"image": _checked(item["image"])} for item in items_of_part]
        for name, items_of_part in items.items()
    }


def _checked(path: str) -> str:
    """Checks a header, warns of what it guesses and of a single slice, and returns the path."""
    volume = open_nifti(path)
    is_thin = 1 in volume.image.shape[:3]
    words = ["has one slice, so that nearly all of its crops is air; is it meant to train?"]
    warn_of(path, volume.notes + words * is_thin)
    return path


def _first(training: list[dict], n_volumes: int, seed: int) -> list[dict]:
    """Selects the first volumes of a seeded order: a smaller number is a part of a larger one.

    The volumes stay in the order of the list: all of them train exactly as without `n_volumes`.
    """
    if not isinstance(n_volumes, int) or not 1 <= n_volumes <= len(training):
        raise InputError(
            f"--n_volumes {n_volumes} cannot be taken of {len(training)} training volumes; give "
            f"a whole number from 1 to {len(training)}, or leave it out to take all."
        )
    order = np.random.default_rng(seed).permutation(len(training))
    logger.info(f"training takes {n_volumes} of {len(training)} volumes (--n_volumes)")
    return [training[index] for index in sorted(order[:n_volumes])]


def own_datalist(dataset_dir: str) -> str | None:
    """Finds the folder's own `datalist.json` and says so in one line; None where it has none."""
    path = Path(dataset_dir, "datalist.json")
    if not path.is_file():
        return None
    logger.info(f"training and validation as in {path}")
    return str(path)


def select(data: dict[str, list[dict]], name: str) -> list[dict]:
    """Selects the volumes of an engine: `training`, `validation`, or `all` images once.

    Raises:
        InputError: the part has no images, or there is no such part.
    """
    once = {item["image"]: item for items in data.values() for item in items}
    parts = data | {"all": list(once.values())}
    if name not in parts:
        raise InputError(f"{name!r} is not a part of the data; choose from {', '.join(parts)}.")
    if not parts[name]:
        raise InputError(f"the data have no image for {name}; add some, or check --datalist.")
    return parts[name]
