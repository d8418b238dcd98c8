# generated from common/segmentation/splits.py, do not edit: `make copies`
"""Splits labelled cases: five folds, BTCV's 24 and 6, and fractions of a training set.

A case is a dict with an `image`'s path. A datalist may note its place: `fold` (0 to 4), `rank` (its
position in the order of cases; a fraction takes the first), `split_24_6` ("training" or
"validation"). Folds and ranks without a note are drawn by the seed; BTCV's names give its split.
"""

import re
from math import ceil
from pathlib import Path

import numpy as np
from monai.data import partition_dataset

from ..errors import InputError
from .split_notes import FOLDS, PARTS, read_notes

SPLITS = ("five_fold", "btcv_24_6")  # on a command line, 24_6 alone is the number 246
# Validate in the split into 24 and 6 that most published figures on BTCV's training set use.
BTCV_VALIDATION = range(35, 41)


def split_cases(
    cases: list[dict], split: str, fold: int, seed: int
) -> tuple[list[dict], list[dict]]:
    """Splits cases into those that train and those that validate.

    Args:
        cases: all labelled cases.
        split: "five_fold", in which the fold's cases validate, or "btcv_24_6".
        fold: 0 to 4; 0 for "btcv_24_6".
        seed: seed of folds that the cases do not name.

    Raises:
        InputError: there is no such split or fold, or the cases cannot be split so.
    """
    if split not in SPLITS:
        raise InputError(f"--split {split} is unknown; it takes {' or '.join(SPLITS)}.")
    if split == "btcv_24_6" and fold != 0:
        raise InputError(
            f"--fold {fold} would change nothing, because --split {split} is one division; leave "
            "one of them out."
        )
    if split == "five_fold" and fold not in range(FOLDS):
        raise InputError(f"--fold {fold} does not exist; it takes 0 to {FOLDS - 1}.")
    if split == "five_fold":
        validates = [number == fold for number in folds(cases, seed)]
    else:
        validates = [part == "validation" for part in parts_24_6(cases)]
    parts = [[case for case, v in zip(cases, validates) if v == wanted] for wanted in (False, True)]
    if not all(parts):
        name = f"fold {fold}" if split == "five_fold" else f"split {split}"
        raise InputError(
            f"{name} leaves {len(parts[0])} cases to train and {len(parts[1])} to validate; mend "
            "the datalist."
        )
    return parts[0], parts[1]


def folds(cases: list[dict], seed: int) -> list[int]:
    """Returns the fold of each case: its note, or one drawn by the seed, all of equal size.

    Raises:
        InputError: only some cases name a fold, one does not exist, or there are too few cases.
    """
    named = read_notes(cases, "fold")
    if named is not None:
        return named
    if len(cases) < FOLDS:
        raise InputError(
            f"{len(cases)} labelled images are too few for {FOLDS} folds; name those that "
            "train and those that validate in a --datalist."
        )
    numbers = list(range(len(cases)))
    parts = partition_dataset(numbers, num_partitions=FOLDS, shuffle=True, seed=seed)
    fold_by_number = {number: fold for fold, part in enumerate(parts) for number in part}
    return [fold_by_number[number] for number in numbers]


def parts_24_6(cases: list[dict]) -> list[str]:
    """Returns "training" or "validation" for each case: its note, or by BTCV's number in its name.

    Raises:
        InputError: only some cases name their part, one names another, or a file's name has no
            such number.
    """
    named = read_notes(cases, "split_24_6")
    if named is not None:
        return named
    numbers = [btcv_number(case["image"]) for case in cases]
    if None in numbers:
        case = cases[numbers.index(None)]
        raise InputError(
            "--split btcv_24_6 is for BTCV, whose images are img0001 to img0040, and "
            f"{case['image']} has no such name; give --split five_fold."
        )
    return [PARTS[number in BTCV_VALIDATION] for number in numbers]


def btcv_number(path: str) -> int | None:
    """Reads 12 from `…/img0012.nii.gz`; None for a name that is not of BTCV."""
    name = re.fullmatch(r"img(\d{4})\.nii(\.gz)?", Path(path).name)
    return int(name[1]) if name else None


def ranks(cases: list[dict], seed: int) -> list[int]:
    """Returns the rank of each case: its note, or one drawn by the seed; fractions take the first.

    Raises:
        InputError: only some cases name a rank, or one is no whole number.
    """
    named = read_notes(cases, "rank")
    if named is not None:
        return named
    # a stream of its own: the order says nothing about the folds
    return np.random.default_rng([seed, FOLDS]).permutation(len(cases)).tolist()


def first_fraction(cases: list[dict], label_fraction: float, seed: int) -> list[dict]:
    """Selects the first ⌈fraction · n⌉ cases by rank, so that sets are nested.

    Args:
        cases: a training set; selected cases stay in its order.
        label_fraction: above 0, at most 1.
        seed: seed of ranks that the cases do not name.

    Raises:
        InputError: there is no such fraction.
    """
    if isinstance(label_fraction, bool) or not 0 < label_fraction <= 1:
        raise InputError(f"--label_fraction {label_fraction} is not above 0 and at most 1.")
    # 0.07 * 100 is a little more than 7 in binary
    count = ceil(round(label_fraction * len(cases), 9))
    order = sorted(range(len(cases)), key=ranks(cases, seed).__getitem__)
    return [cases[place] for place in sorted(order[:count])]
