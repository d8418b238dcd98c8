"""Folds, BTCV's 24 and 6, and the order of which fractions take the first."""

import pytest

from common.segmentation import splits


def items(count: int, **notes) -> list[dict]:
    """Cases 0 to `count` - 1, with notes given as lists."""
    return [
        {"image": f"/data/ct{n}.nii.gz"} | {name: values[n] for name, values in notes.items()}
        for n in range(count)
    ]


def btcv(*numbers: int) -> list[dict]:
    return [{"image": f"/data/img/img{number:04}.nii.gz"} for number in numbers]


ALL_BTCV = [*range(1, 11), *range(21, 41)]


def test_folds_are_of_equal_size_and_drawn_by_the_seed():
    first, again, other = (splits.folds(items(13), seed) for seed in (0, 0, 1))
    assert first == again != other
    assert sorted(first.count(fold) for fold in range(5)) == [2, 2, 3, 3, 3]


def test_folds_that_cases_name_are_taken():
    named = [4, 4, 0, 1, 2]
    assert splits.folds(items(5, fold=named), 0) == named


def test_24_and_6_are_those_of_the_published_split():
    training, validation = splits.split_cases(btcv(*ALL_BTCV), "btcv_24_6", 0, 0)
    assert validation == btcv(35, 36, 37, 38, 39, 40)
    assert training == btcv(*range(1, 11), *range(21, 35))


def test_24_and_6_need_btcvs_names(refusal):
    with refusal("--split btcv_24_6 is for BTCV.* and /data/ct0.nii.gz has no such name"):
        splits.split_cases(items(30), "btcv_24_6", 0, 0)


def test_a_split_that_leaves_nothing_is_refused(refusal):
    with refusal("split btcv_24_6 leaves 3 cases to train and 0 to validate"):
        splits.split_cases(btcv(1, 2, 3), "btcv_24_6", 0, 0)
    with refusal("fold 4 leaves 5 cases to train and 0 to validate"):
        splits.split_cases(items(5, fold=[0, 1, 2, 3, 3]), "five_fold", 4, 0)


@pytest.mark.parametrize(
    ("split", "fold", "words"),
    [
        ("five", 0, "--split five is unknown; it takes five_fold or btcv_24_6"),
        ("five_fold", 5, "fold 5"),
        ("btcv_24_6", 1, "--fold 1 would change nothing, because --split btcv_24_6 is one"),
    ],
)
def test_unknown_splits_and_folds_are_refused(refusal, split, fold, words):
    with refusal(words):
        splits.split_cases(items(30), split, fold, 0)


@pytest.mark.parametrize("fold", [5, "0", None, True, 0.5, [0]])
def test_a_datalists_fold_that_does_not_exist_is_refused(refusal, fold):
    with refusal("ct1.nii.gz has fold .* in the datalist; it takes 0 to 4"):
        splits.folds(items(2, fold=[0, fold]), 0)


@pytest.mark.parametrize("rank", ["1", None, -1, 0.5, True, float("nan")])
def test_a_datalists_rank_that_is_no_whole_number_is_refused(refusal, rank):
    with refusal("ct1.nii.gz has rank .* in the datalist; it takes whole numbers from 0"):
        splits.first_fraction(items(2, rank=[0, rank]), 0.5, 0)


@pytest.mark.parametrize("part", ["test", "val", "Validation", None, 1])
def test_a_datalists_part_that_is_neither_training_nor_validation_is_refused(refusal, part):
    """Anything but "validation" would train."""
    cases = items(3, split_24_6=["training", part, "validation"])
    with refusal("ct1.nii.gz has split_24_6 .* in the datalist; it takes training or validation"):
        splits.split_cases(cases, "btcv_24_6", 0, 0)


def test_parts_and_ranks_that_cases_name_are_taken():
    cases = items(3, split_24_6=["training", "validation", "training"], rank=[5, 3, 2.0])
    training, validation = splits.split_cases(cases, "btcv_24_6", 0, 0)
    assert (training, validation) == ([cases[0], cases[2]], [cases[1]])
    assert splits.first_fraction(cases, 0.5, 0) == cases[1:]


def test_notes_of_some_cases_alone_are_refused(refusal):
    with refusal("ct2.nii.gz has no rank in the datalist, others have"):
        splits.ranks([*items(2, rank=[0, 1]), {"image": "/data/ct2.nii.gz"}], 0)


def test_ranks_are_an_order_drawn_by_the_seed():
    first, again, other = (splits.ranks(items(20), seed) for seed in (0, 0, 1))
    assert first == again != other and sorted(first) == list(range(20))


@pytest.mark.parametrize(
    ("fraction", "cases", "count"),
    [(0.1, 30, 3), (0.11, 30, 4), (1 / 3, 30, 10), (1, 30, 30), (1e-6, 30, 1), (0.07, 100, 7)],
)
def test_a_fraction_is_rounded_up_but_not_by_binary_dust(fraction, cases, count):
    """0.07 * 100 is 7.000000000000001."""
    kept = splits.first_fraction(items(cases), fraction, 0)
    assert len(kept) == count
    assert kept == [case for case in items(cases) if case in kept]  # in the order given


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, True])
def test_fractions_out_of_range_are_refused(refusal, fraction):
    with refusal(f"--label_fraction {fraction} is not above 0 and at most 1"):
        splits.first_fraction(items(30), fraction, 0)
