# generated from common/segmentation/labelled_data.py, do not edit: `make copies`
"""Which labelled images train, validate and evaluate a network."""

import logging
from pathlib import Path

from ..data.datalist import SECTIONS, read_datalist
from ..errors import InputError
from .pairing import check_grids, find_folders, paired
from .splits import SPLIT_KEYS, first_fraction, split_cases

logger = logging.getLogger(__name__)


def read_labelled_data(
    dataset_dir: str, datalist: str | None, channels: int = 1
) -> dict[str, list[dict]]:
    """Pairs `{"image": path, "label": path}` by section: `training`, `validation` and `test`.

    Pairs of a datalist keep its notes on how they are split_cases, see `splits`.

    Args:
        dataset_dir: holds one of `pairing.LAYOUTS` (all of it is `training`), or is what the
            datalist's paths are relative to.
        datalist: Decathlon JSON; its sections are taken as they are, but for images of `test`
            without a label.
        channels: of an image; more than one are the fourth axis of its file.

    Raises:
        InputError: an image without its label or the other way round; unusable files; grids that
            differ; nothing labelled at all.
    """
    if datalist:
        sections = {name: read_datalist(datalist, dataset_dir, name, True) for name in SECTIONS}
        sections["test"] = [item for item in sections["test"] if "label" in item]
    else:
        pairs, problems = paired(*find_folders(Path(dataset_dir)))
        if problems:
            raise InputError(problems[0])
        sections = {"training": pairs, "validation": [], "test": []}
    if not any(sections.values()):
        raise InputError(f"datalist {datalist} lists no labelled image; add some.")
    return {name: [_checked(item, channels) for item in items] for name, items in sections.items()}


def select(
    cases: dict[str, list[dict]],
    name: str,
    split: str = "five_fold",
    fold: int = 0,
    label_fraction: float = 1.0,
    seed: int = 0,
) -> list[dict]:
    """The cases for one use.

    Args:
        cases: what `read_labelled_data` gives. Where it has no `validation`, `training` is divided.
        name: `training`, `validation`, `test`, or `all` of them.
        split, fold: how `training` is split_cases, see `splits.split_cases`.
        label_fraction: how much of the training set is used, see `splits.first_fraction`.
        seed: of what a datalist does not say.

    Raises:
        InputError: there are none, there is no such part, or the cases cannot be divided so.
    """
    if name == "all":
        found = [item for items in cases.values() for item in items]
    elif name in ("training", "validation") and not cases["validation"]:
        found = split_cases(cases["training"], split, fold, seed)[name == "validation"]
    else:
        found = cases.get(name)
    if not found:
        raise InputError(f"there are no {name} cases; the parts are {', '.join(SECTIONS)} and all.")
    if name == "training":
        kept = first_fraction(found, label_fraction, seed)
        logger.info(f"{len(kept)} of {len(found)} labelled volumes train")
        found = kept
    return [{"image": item["image"], "label": item["label"]} for item in found]


def _checked(item: dict, channels: int) -> dict:
    """The pair, once both headers are usable and describe the same grid."""
    if "label" not in item:
        raise InputError(f"{item['image']} has no label in the datalist; add or remove it.")
    check_grids(item["image"], item["label"], channels)
    return {key: item[key] for key in ("image", "label", *SPLIT_KEYS) if key in item}
