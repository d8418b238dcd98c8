"""Which pairs of image and label train, validate and are evaluated."""

import logging
from pathlib import Path

import numpy as np
import pytest
from helpers import write_json, write_nifti

from common.segmentation import labelled_data

SHAPE = (4, 5, 6)
# Folder of images, of labels, and names of the n-th pair, in the archives' own way.
ARCHIVES = {
    "BTCV": ("RawData/Training/img", "RawData/Training/label", "img{:04}", "label{:04}"),
    "BTCV without RawData": ("Training/img", "Training/label", "img{:04}", "label{:04}"),
    "BTCV's inner folder": ("img", "label", "img{:04}", "label{:04}"),
    "MSD": ("imagesTr", "labelsTr", "spleen_{}", "spleen_{}"),
    "plain": ("images", "labels", "case{}", "case{}"),
}


@pytest.fixture
def cases():
    """`read_labelled_data` of a folder given as a path."""
    return lambda folder, *args, **kwargs: labelled_data.read_labelled_data(
        str(folder), *args, **kwargs
    )


@pytest.fixture
def part():
    """`select`, by default of fold 0 and seed 0."""
    return lambda found, name, fold=0, seed=0, **settings: labelled_data.select(
        found, name, fold=fold, seed=seed, **settings
    )


def archive(folder: Path, count: int = 5, kind: str = "MSD") -> Path:
    """Pairs 1 to `count`, as an archive has them."""
    images, labels, image, label = ARCHIVES[kind]
    for number in range(1, count + 1):
        volume(folder / images / f"{image.format(number)}.nii.gz")
        volume(folder / labels / f"{label.format(number)}.nii.gz")
    return folder


def volume(path: Path, shape=SHAPE, **settings) -> str:
    return write_nifti(path, np.zeros(shape, np.uint8), **settings)


def listed(*numbers: int) -> list[dict]:
    """A datalist's section of pairs of an MSD archive."""
    files = [f"spleen_{number}.nii.gz" for number in numbers]
    return [{"image": f"imagesTr/{file}", "label": f"labelsTr/{file}"} for file in files]


def numbers(items: list[dict]) -> list[int]:
    """Which pairs of an MSD archive these are."""
    return [int(Path(item["image"]).name.split(".")[0].split("_")[1]) for item in items]


# layouts


@pytest.mark.parametrize("kind", ARCHIVES)
def test_known_archives_are_read_in_pairs(cases, tmp_path, kind):
    images, labels, image, label = ARCHIVES[kind]
    found = cases(archive(tmp_path, 5, kind), None)
    expected = [
        {
            "image": str(tmp_path / images / f"{image.format(number)}.nii.gz"),
            "label": str(tmp_path / labels / f"{label.format(number)}.nii.gz"),
        }
        for number in range(1, 6)
    ]
    assert found == {"training": expected, "validation": [], "test": []}


def test_image_and_label_may_have_different_endings(cases, tmp_path):
    (archive(tmp_path) / "imagesTr/spleen_1.nii.gz").unlink()
    path = volume(tmp_path / "imagesTr/spleen_1.nii")
    assert path in [item["image"] for item in cases(tmp_path, None)["training"]]


def test_hidden_doubles_of_a_macos_archive_are_left_out(cases, tmp_path):
    archive(tmp_path)
    (tmp_path / "imagesTr/._spleen_1.nii.gz").touch()
    (tmp_path / "labelsTr/._spleen_1.nii.gz").touch()
    assert numbers(cases(tmp_path, None)["training"]) == [1, 2, 3, 4, 5]


def test_two_files_of_one_name_are_refused(cases, refusal, tmp_path):
    volume(archive(tmp_path) / "labelsTr/spleen_1.nii")
    with refusal(r"spleen_1.nii and spleen_1.nii.gz have one name; remove one of them"):
        cases(tmp_path, None)


def test_missing_folder_is_refused(cases, refusal, tmp_path):
    with refusal("none does not exist.*--dataset_dir"):
        cases(tmp_path / "none", None)


def test_unknown_layout_is_refused_with_the_known_ones(cases, refusal, tmp_path):
    volume(tmp_path / "ct/a.nii.gz")
    with refusal("has no images in any of RawData/Training/img, .*imagesTr"):
        cases(tmp_path, None)


@pytest.mark.parametrize("kind", ["BTCV", "MSD"])
def test_image_without_label_is_refused(cases, refusal, tmp_path, kind):
    images, _, image, _ = ARCHIVES[kind]
    extra = volume(archive(tmp_path, 5, kind) / images / f"{image.format(9)}.nii.gz")
    with refusal(f"{extra} has no label"):
        cases(tmp_path, None)


@pytest.mark.parametrize("kind", ["BTCV", "MSD"])
def test_label_without_image_is_refused(cases, refusal, tmp_path, kind):
    _, labels, _, label = ARCHIVES[kind]
    extra = volume(archive(tmp_path, 5, kind) / labels / f"{label.format(9)}.nii.gz")
    with refusal(f"{extra} has no image"):
        cases(tmp_path, None)


# grids


@pytest.mark.parametrize(
    "shape, settings",
    [
        ((4, 5, 7), {}),
        (SHAPE, {"spacing_mm": (1, 1, 2)}),
        (SHAPE, {"affine": np.diag([-1.0, 1, 1, 1])}),
        (SHAPE, {"affine": np.eye(4) + 0.5 * np.eye(4, k=3)}),
    ],
    ids=["shape", "spacing", "orientation", "origin"],
)
def test_label_on_another_grid_is_refused(cases, refusal, tmp_path, shape, settings):
    path = volume(archive(tmp_path) / "labelsTr/spleen_2.nii.gz", shape, **settings)
    with refusal(rf"{path} \(.*is not on the grid of .*imagesTr/spleen_2.nii.gz"):
        cases(tmp_path, None)


def test_rounding_of_an_affine_is_no_other_grid(cases, tmp_path):
    volume(archive(tmp_path) / "labelsTr/spleen_2.nii.gz", spacing_mm=(1.0001, 1, 1))
    assert numbers(cases(tmp_path, None)["training"]) == [1, 2, 3, 4, 5]


def test_unreadable_label_is_refused(cases, refusal, tmp_path):
    (archive(tmp_path) / "labelsTr/spleen_3.nii.gz").write_text("text")
    with refusal("labelsTr/spleen_3.nii.gz cannot be read"):
        cases(tmp_path, None)


def test_channels_are_the_fourth_axis_of_an_image_alone(cases, refusal, tmp_path):
    volume(archive(tmp_path, 1) / "imagesTr/spleen_1.nii.gz", (*SHAPE, 2))
    assert numbers(cases(tmp_path, None, channels=2)["training"]) == [1]
    with refusal("expected a 3D volume"):
        cases(tmp_path, None)


# datalists


def test_sections_of_a_datalist_are_taken_as_they_are(cases, part, tmp_path):
    content = {"training": listed(3, 1), "validation": listed(2), "test": listed(5, 4)}
    found = cases(archive(tmp_path), write_json(tmp_path / "lists/a.json", content))
    assert {name: numbers(items) for name, items in found.items()} == {
        "training": [3, 1],
        "validation": [2],
        "test": [5, 4],
    }
    assert numbers(part(found, "training")) == [3, 1]
    assert numbers(part(found, "validation")) == [2]
    assert numbers(part(found, "test", fold=3)) == [5, 4]
    assert numbers(part(found, "all", fold=3)) == [3, 1, 2, 5, 4]


@pytest.mark.parametrize("name", ["training", "validation"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fold": 3}, "--fold 3 would divide nothing, .* under validation; leave it out, or move"),
        ({"split": "btcv_24_6"}, "--split btcv_24_6 would divide nothing"),
        ({"fold": 1, "split": "btcv_24_6"}, "--fold 1 and --split .* leave both out"),
    ],
)
def test_a_fold_of_cases_that_the_datalist_has_divided_is_refused(
    part, refusal, name, settings, words
):
    with refusal(words):
        part(pool(7, validation=listed(9)), name, **settings)


def test_paths_of_a_datalist_start_at_the_dataset(cases, tmp_path):
    datalist = write_json(tmp_path / "lists/a.json", {"training": listed(1)})
    assert cases(archive(tmp_path / "data"), datalist)["training"] == [
        {
            "image": str(tmp_path / "data/imagesTr/spleen_1.nii.gz"),
            "label": str(tmp_path / "data/labelsTr/spleen_1.nii.gz"),
        }
    ]


@pytest.mark.parametrize(
    "test, kept",
    [
        (["imagesTs/spleen_8.nii.gz"], []),
        ([{"image": "imagesTs/spleen_8.nii.gz"}, *listed(3)], [3]),
        (listed(3), [3]),
        ([], []),
    ],
    ids=["paths alone", "partly labelled", "labelled", "empty"],
)
def test_test_section_gives_its_labelled_images(cases, tmp_path, test, kept):
    content = {"training": listed(1), "validation": listed(2), "test": test}
    found = cases(archive(tmp_path), write_json(tmp_path / "a.json", content))
    assert numbers(found["test"]) == kept


@pytest.mark.parametrize("section", ["training", "validation"])
def test_datalists_image_without_label_is_refused(cases, refusal, tmp_path, section):
    content = {"training": listed(1), "validation": listed(2)}
    del content[section][0]["label"]
    with refusal("has no label in the datalist"):
        cases(archive(tmp_path), write_json(tmp_path / "a.json", content))


def test_datalist_of_missing_files_is_refused(cases, refusal, tmp_path):
    content = {"training": listed(1), "validation": listed(9)}
    with refusal("imagesTr/spleen_9.nii.gz does not exist"):
        cases(archive(tmp_path), write_json(tmp_path / "a.json", content))


def test_datalist_without_labelled_images_is_refused(cases, refusal, tmp_path):
    content = {"test": ["imagesTr/spleen_1.nii.gz"]}
    with refusal("a.json lists no labelled image"):
        cases(archive(tmp_path), write_json(tmp_path / "a.json", content))


@pytest.mark.parametrize("section", ["validation", "test"])
def test_an_image_that_also_trains_is_refused_by_name(cases, refusal, tmp_path, section):
    content = {"training": listed(1, 2, 3), section: listed(4, 2)}
    datalist = write_json(tmp_path / "a.json", content)
    with refusal(rf"imagesTr/spleen_2.nii.gz is listed for training and for {section} \(1 such"):
        cases(archive(tmp_path), datalist)


def test_two_links_to_one_image_are_one_image(cases, refusal, tmp_path):
    content = {"training": listed(1), "test": ["link.nii.gz"]}
    (tmp_path / "link.nii.gz").symlink_to(archive(tmp_path) / "imagesTr/spleen_1.nii.gz")
    with refusal("spleen_1.nii.gz is listed for training and for test"):
        cases(tmp_path, write_json(tmp_path / "a.json", content))


def test_validation_on_the_very_training_images_is_meant_and_said(cases, tmp_path, caplog):
    content = {"training": listed(1, 2), "validation": listed(2, 1)}
    found = cases(archive(tmp_path), write_json(tmp_path / "a.json", content))
    assert numbers(found["validation"]) == [2, 1]
    assert "training and validation list the same images" in caplog.text


def test_an_image_listed_twice_that_would_lie_in_two_folds_is_refused(
    cases, part, refusal, tmp_path
):
    content = {"training": [*listed(1, 2, 3, 4, 5), *listed(1, 2, 3, 4, 5)]}
    found = cases(archive(tmp_path), write_json(tmp_path / "a.json", content))
    with refusal("is listed for training and for validation"):
        part(found, "training")


# parts


def pool(count: int, **sections) -> dict:
    """What `read_labelled_data` gives for an archive of `count` pairs."""
    return {"training": listed(*range(1, count + 1)), "validation": [], "test": []} | sections


def test_five_folds_validate_every_case_once(part):
    folds = [numbers(part(pool(12), "validation", fold)) for fold in range(5)]
    assert sorted(number for fold in folds for number in fold) == list(range(1, 13))
    assert [len(fold) for fold in folds] == [3, 3, 2, 2, 2]


@pytest.mark.parametrize("fold", range(5))
def test_every_case_either_trains_or_validates(part, fold):
    training, validation = (part(pool(7), name, fold) for name in ("training", "validation"))
    assert sorted(numbers(training) + numbers(validation)) == list(range(1, 8))


def test_folds_are_shuffled_by_the_seed(part):
    first, again, other = (numbers(part(pool(30), "validation", 0, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert first != list(range(1, 7)) and first != list(range(1, 31, 5))


def test_dividing_changes_nothing_of_the_cases(part):
    found = pool(7)
    part(found, "training"), part(found, "validation")
    assert found == pool(7)


def test_test_cases_stay_out_of_the_folds(part):
    found = pool(7, test=listed(8, 9))
    assert not {8, 9} & {*numbers(part(found, "training")), *numbers(part(found, "validation"))}
    assert numbers(part(found, "all")) == list(range(1, 10))


@pytest.mark.parametrize("name", ["training", "validation"])
@pytest.mark.parametrize("fold", [-1, 5])
def test_fold_out_of_range_is_refused(part, refusal, name, fold):
    with refusal(f"--fold {fold} does not exist; it takes 0 to 4"):
        part(pool(7), name, fold)


def test_too_few_cases_for_five_folds_are_refused(part, refusal):
    with refusal("4 labelled images are too few for 5 folds"):
        part(pool(4), "validation")


def test_all_of_few_cases_can_be_evaluated(part):
    assert numbers(part(pool(1), "all")) == [1]


@pytest.mark.parametrize("name", ["test", "tset"])
def test_part_without_cases_is_refused(part, refusal, name):
    with refusal(f"there are no {name} cases; the parts are .*validation.* and all"):
        part(pool(7), name)


def test_training_needs_cases_beside_those_of_the_validation(part, refusal):
    with refusal("there are no training cases"):
        part(pool(0, validation=listed(1)), "training")


# fractions of the labels


def test_fractions_are_nested_and_rounded_up(part, caplog):
    caplog.set_level(logging.INFO)
    found, before = pool(13), set()
    for fraction, count in [(0.01, 1), (0.1, 1), (0.11, 2), (0.5, 5), (0.6, 6), (1.0, 10)]:
        kept = set(numbers(part(found, "training", label_fraction=fraction)))
        assert len(kept) == count and kept >= before
        assert f"{count} of 10 labelled volumes train" in caplog.text
        before = kept


def test_a_fraction_leaves_the_validation_as_it_is(part):
    both = [numbers(part(pool(13), "validation", label_fraction=f)) for f in (0.1, 1.0)]
    assert both[0] == both[1]


def test_a_fraction_takes_a_datalists_own_training_set(part):
    found = pool(4, validation=listed(9))
    assert len(part(found, "training", label_fraction=0.5)) == 2


def test_notes_of_a_datalist_decide_and_are_not_handed_on(cases, part, tmp_path):
    items = listed(1, 2, 3, 4, 5, 6)
    for place, item in enumerate(items):
        item |= {"fold": place % 5, "rank": 5 - place, "split_24_6": "training", "other": 1}
    items[3]["split_24_6"] = "validation"
    found = cases(archive(tmp_path, 6), write_json(tmp_path / "a.json", {"training": items}))
    for seed in (0, 1):
        assert numbers(part(found, "validation", fold=0, seed=seed)) == [1, 6]
        assert numbers(part(found, "training", seed=seed, label_fraction=0.5)) == [4, 5]
        assert numbers(part(found, "validation", split="btcv_24_6", seed=seed)) == [4]
    assert all(item.keys() == {"image", "label"} for item in part(found, "training"))
