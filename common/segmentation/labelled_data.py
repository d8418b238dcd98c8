"""Selects the labelled images that train, validate and evaluate a network."""

import logging
from collections.abc import Sequence
from pathlib import Path

from ..data.datalist import SECTIONS, check_disjoint, read_datalist
from ..errors import InputError
from .pairing import check_grids, find_folders, paired
from .split_notes import SPLIT_KEYS
from .splits import SPLITS, first_fraction, split_cases

logger = logging.getLogger(__name__)


def read_labelled_data(
    dataset_dir: str,
    datalist: str | None,
    channels: int = 1,
    channel_names: Sequence[str] = (),
) -> dict[str, list[dict]]:
    """Reads pairs `{"image": path, "label": path}` by section: `training`, `validation`, `test`.

    Pairs of a datalist keep its notes on their split, see `splits`.

    Args:
        dataset_dir: holds one of `pairing.LAYOUTS` (all pairs are `training`), or is the folder to
            which the datalist's paths are relative.
        datalist: Decathlon JSON; its sections stay as they are, without images of `test` that have
            no label.
        channels, channel_names: of an image, see `nifti_header.open_nifti`.

    Raises:
        InputError: an image without its label or the other way round; an image that trains and is
            validated or tested on; unusable files; grids that differ; nothing labelled at all.
    """
    if datalist:
        sections = {name: read_datalist(datalist, dataset_dir, name, True) for name in SECTIONS}
        check_disjoint(sections)
        sections["test"] = [item for item in sections["test"] if "label" in item]
    else:
        pairs, problems = paired(*find_folders(Path(dataset_dir)))
        if problems:
            raise InputError(problems[0])
        sections = {"training": pairs, "validation": [], "test": []}
    if not any(sections.values()):
        raise InputError(f"datalist {datalist} lists no labelled image; add some.")
    return {
        name: [_check_pair(item, channels, channel_names) for item in items]
        for name, items in sections.items()
    }


def select(
    cases: dict[str, list[dict]],
    name: str,
    split: str = "five_fold",
    fold: int = 0,
    label_fraction: float = 1.0,
    seed: int = 0,
) -> list[dict]:
    """Selects the cases for one use.

    Args:
        cases: pairs by section, from `read_labelled_data`. Without `validation`, `training` is
            split.
        name: `training`, `validation`, `test`, or `all` of them.
        split, fold: how `training` is split, see `splits.split_cases`.
        label_fraction: share of the training set in use, see `splits.first_fraction`.
        seed: seed of folds and ranks that a datalist does not name.

    Raises:
        InputError: there are no such cases or part, the cases cannot be split so, or a fold or
            split is named that a list's own `validation` leaves without effect.
    """
    if name in ("training", "validation") and cases["validation"]:
        _check_unsplit(split, fold)
    if name == "all":
        selected = [item for items in cases.values() for item in items]
    elif name in ("training", "validation") and not cases["validation"]:
        parts = split_cases(cases["training"], split, fold, seed)
        check_disjoint(dict(zip(("training", "validation"), parts)))  # a case may be listed twice
        selected = parts[name == "validation"]
    else:
        selected = cases.get(name)
    if not selected:
        raise InputError(f"there are no {name} cases; the parts are {', '.join(SECTIONS)} and all.")
    if name == "training":
        kept = first_fraction(selected, label_fraction, seed)
        logger.info(f"{len(kept)} of {len(selected)} labelled volumes train")
        selected = kept
    return [{"image": item["image"], "label": item["label"]} for item in selected]


def _check_unsplit(split: str, fold: int) -> None:
    """Refuses a fold or a split, other than the default, of cases that a datalist has divided."""
    given = [f"--fold {fold}"] if fold else []
    given += [f"--split {split}"] if split != SPLITS[0] else []
    if given:
        raise InputError(
            f"{' and '.join(given)} would divide nothing, because the datalist has cases under "
            f"validation; leave {'both' if len(given) > 1 else 'it'} out, or move these cases to "
            "training, where each may name its fold."
        )


def _check_pair(item: dict, channels: int, channel_names: Sequence[str]) -> dict:
    """Checks that both headers are usable and have one grid, and returns the pair."""
    if "label" not in item:
        raise InputError(f"{item['image']} has no label in the datalist; add or remove it.")
    check_grids(item["image"], item["label"], channels, channel_names)
    return {key: item[key] for key in ("image", "label", *SPLIT_KEYS) if key in item}
