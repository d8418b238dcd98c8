"""Unlabelled images, divided into training and validation."""

import logging
import os
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from helpers import write_json, write_nifti

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


def corpus(folder: Path, count: int) -> Path:
    for number in range(count):
        write_nifti(folder / f"ct{number:02}.nii.gz", CT)
    return folder


def names(items: list[dict]) -> list[str]:
    return [Path(item["image"]).name for item in items]


def test_split_is_disjoint_complete_and_seeded(crops, tmp_path):
    corpus(tmp_path, 10)
    first, again = (crops.split_volumes(str(tmp_path), None, 0.3, seed=1) for _ in range(2))
    other = crops.split_volumes(str(tmp_path), None, 0.3, seed=2)
    parts = {name: set(names(items)) for name, items in first.items()}
    assert [len(parts["training"]), len(parts["validation"])] == [7, 3]
    assert parts["training"] | parts["validation"] == {f"ct{n:02}.nii.gz" for n in range(10)}
    assert first == again != other


@pytest.mark.parametrize("fraction", [0.0, 0.05])
def test_at_least_one_image_is_held_out(crops, tmp_path, fraction):
    split = crops.split_volumes(str(corpus(tmp_path, 3)), None, fraction, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [2, 1]


def test_at_least_one_image_trains(crops, tmp_path):
    split = crops.split_volumes(str(corpus(tmp_path, 2)), None, 0.8, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [1, 1]


def test_all_images_come_once(crops, tmp_path):
    split = crops.split_volumes(str(corpus(tmp_path, 6)), None, 0.5, seed=0)
    together = crops.select(split, "all")
    assert sorted(names(together)) == [f"ct{n:02}.nii.gz" for n in range(6)]
    assert crops.select({"training": together, "validation": together}, "all") == together


def test_unknown_and_empty_parts_are_refused(crops, refusal, tmp_path):
    with refusal("'tset' is not a part of the data; choose from training, validation, all"):
        crops.select({"training": [], "validation": []}, "tset")
    with refusal("no image for training"):
        crops.select({"training": [], "validation": [{"image": "a"}]}, "training")


def test_sections_of_a_datalist_decide_the_split(crops, tmp_path):
    content = {
        "training": [{"image": "ct03.nii.gz"}, {"image": "ct01.nii.gz"}],
        "validation": [{"image": "ct02.nii.gz"}],
        "test": ["ct00.nii.gz"],
    }
    datalist = write_json(tmp_path / "datalist.json", content)
    split = crops.split_volumes(str(corpus(tmp_path, 4)), datalist, 0.9, seed=0)
    assert names(split["training"]) == ["ct03.nii.gz", "ct01.nii.gz"]
    assert names(split["validation"]) == ["ct02.nii.gz"]


def test_datalist_without_validation_is_divided(crops, tmp_path):
    content = {"training": [{"image": f"ct0{number}.nii.gz"} for number in range(4)]}
    datalist = write_json(tmp_path / "datalist.json", content)
    split = crops.split_volumes(str(corpus(tmp_path, 4)), datalist, 0.25, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [3, 1]


def test_an_image_that_trains_and_validates_is_refused_by_name(crops, refusal, tmp_path, caplog):
    images = [{"image": f"ct0{number}.nii.gz"} for number in range(3)]
    content = {"training": images[:2], "validation": images[1:]}
    datalist = write_json(tmp_path / "datalist.json", content)
    with refusal(r"ct01.nii.gz is listed for training and for validation \(1 such images\)"):
        crops.split_volumes(str(corpus(tmp_path, 3)), datalist, 0.2, seed=0)
    datalist = write_json(tmp_path / "all.json", {"training": images, "validation": images})
    split = crops.split_volumes(str(tmp_path), datalist, 0.2, seed=0)
    assert names(split["training"]) == names(split["validation"])
    assert "training and validation list the same images" in caplog.text


def test_a_volume_of_one_slice_trains_and_is_named(crops, tmp_path):
    path = write_nifti(corpus(tmp_path, 2) / "thin.nii.gz", np.zeros((40, 40, 1), np.int16))
    with pytest.warns(UserWarning, match=f"{path}: has one slice, so that nearly all of its crops"):
        split = crops.split_volumes(str(tmp_path), None, 0.3, seed=0)
    assert sum(len(items) for items in split.values()) == 3


def test_datalist_for_evaluation_needs_no_training(crops, tmp_path):
    datalist = write_json(tmp_path / "datalist.json", {"validation": [{"image": "ct00.nii.gz"}]})
    split = crops.split_volumes(str(corpus(tmp_path, 1)), datalist, 0.2, seed=0)
    assert (names(split["training"]), names(split["validation"])) == ([], ["ct00.nii.gz"])


def test_datalist_without_images_is_refused(crops, refusal, tmp_path):
    datalist = write_json(tmp_path / "datalist.json", {"test": [{"image": "ct00.nii.gz"}]})
    with refusal("datalist.json lists no image"):
        crops.split_volumes(str(corpus(tmp_path, 1)), datalist, 0.2, seed=0)


def test_folders_own_datalist_counts_where_none_is_given(crops, tmp_path, caplog):
    content = {"training": [{"image": "ct01.nii.gz"}], "validation": [{"image": "ct02.nii.gz"}]}
    own = write_json(corpus(tmp_path, 4) / "datalist.json", content)
    with caplog.at_level(logging.INFO):
        split = crops.split_volumes(str(tmp_path), None, 0.5, seed=0)
    assert (names(split["training"]), names(split["validation"])) == (
        ["ct01.nii.gz"],
        ["ct02.nii.gz"],
    )
    assert caplog.messages == [f"training and validation as in {own}"]
    given = write_json(tmp_path / "given.json", {"training": [{"image": "ct00.nii.gz"}]})
    with pytest.warns(UserWarning, match="only one image"):
        split = crops.split_volumes(str(tmp_path), given, 0.5, seed=0)
    assert names(split["training"]) == ["ct00.nii.gz"]


def test_headers_of_a_thousand_files_are_checked_in_seconds(crops, tmp_path):
    write_nifti(tmp_path / "volumes/0.nii", CT.astype(np.int16))
    for number in range(1, 1000):
        os.link(tmp_path / "volumes/0.nii", tmp_path / f"volumes/{number}.nii")
    images = [{"image": f"volumes/{number}.nii"} for number in range(1000)]
    write_json(tmp_path / "datalist.json", {"training": images[:900], "validation": images[900:]})
    started = perf_counter()
    split = crops.split_volumes(str(tmp_path), None, 0.5, seed=0)
    assert len(split["training"]) == 900
    assert perf_counter() - started < 5


def test_fewer_volumes_are_a_part_of_more_and_validation_stays(crops, tmp_path, caplog):
    def split(n_volumes, seed=0):
        return crops.split_volumes(str(tmp_path), None, 0.2, seed, n_volumes)

    corpus(tmp_path, 10)
    whole = split(None)
    assert caplog.messages == [] and split(8) == whole
    caplog.clear()  # an earlier run in this process may have set a level of the log
    with caplog.at_level(logging.INFO):
        few, more = split(2), split(5)
    assert caplog.messages == [f"training takes {n} of 8 volumes (--n_volumes)" for n in (2, 5)]
    few_names, more_names = set(names(few["training"])), set(names(more["training"]))
    assert len(few_names) == 2 and len(more_names) == 5
    assert few_names < more_names < set(names(whole["training"]))
    assert few["validation"] == more["validation"] == whole["validation"]
    assert few_names != {Path(item["image"]).name for item in whole["training"][:2]}
    drawn = {tuple(names(split(2, seed)["training"])) for seed in range(4)}
    assert len(drawn) > 1, "the seed decides which"


@pytest.mark.parametrize("n_volumes", [0, 9, 2.0, -1])
def test_volumes_that_there_are_not_are_refused(crops, refusal, tmp_path, n_volumes):
    corpus(tmp_path, 10)
    with refusal(f"--n_volumes {n_volumes} cannot be taken of 8 training volumes; .* 1 to 8"):
        crops.split_volumes(str(tmp_path), None, 0.2, 0, n_volumes)


def test_single_image_serves_both_with_a_warning(crops, tmp_path):
    with pytest.warns(UserWarning, match="only one image"):
        split = crops.split_volumes(str(corpus(tmp_path, 1)), None, 0.2, seed=0)
    assert names(split["training"]) == names(split["validation"]) == ["ct00.nii.gz"]


def test_unusable_image_is_refused_before_the_training(crops, refusal, tmp_path):
    (corpus(tmp_path, 3) / "bad.nii.gz").write_text("text")
    with refusal("bad.nii.gz cannot be read"):
        crops.split_volumes(str(tmp_path), None, 0.2, seed=0)
