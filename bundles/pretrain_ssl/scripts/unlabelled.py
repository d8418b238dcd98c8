"""Unlabelled images, divided into those that train and those that validate."""

import warnings

from monai.data import partition_dataset

from .command_line import InputError
from .nifti import check_header
from .volumes import find_images, read_datalist


def unlabelled_split(
    dataset_dir: str, datalist: str | None, validation_fraction: float, seed: int
) -> dict[str, list[dict]]:
    """Images for pre-training and for its validation, as `{"image": path, "index": number}`.

    From the datalist's sections `training` and `validation` where it has them; otherwise a seeded
    share is held out, at least one image and not all. A single image serves both, with a warning.
    """
    if datalist:
        training = read_datalist(datalist, dataset_dir, "training", is_labelled=False)
        validation = read_datalist(datalist, dataset_dir, "validation", is_labelled=False)
    else:
        training, validation = [{"image": path} for path in find_images(dataset_dir)], []
    if not training:
        raise InputError(f"datalist {datalist} has no `training` images; add some.")
    if not validation and len(training) > 1:
        held_out = min(max(1, round(validation_fraction * len(training))), len(training) - 1)
        ratios = [len(training) - held_out, held_out]
        training, validation = partition_dataset(training, ratios, shuffle=True, seed=seed)
    if not validation:
        warnings.warn("only one image: it is used for training and for validation", stacklevel=2)
        validation = training
    items = {"training": training, "validation": validation}
    return {
        name: [{"image": check_header(item["image"]), "index": i} for i, item in enumerate(part)]
        for name, part in items.items()
    }
