"""Which images a folder or a datalist holds."""

from pathlib import Path

import numpy as np
import pytest
from helpers import write_json, write_nifti

from common.data import datalist

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def corpus(folder: Path, count: int) -> Path:
    for number in range(count):
        write_nifti(folder / f"ct{number:02}.nii.gz", CT)
    return folder


def names(items: list[dict]) -> list[str]:
    return [Path(item["image"]).name for item in items]


def test_finds_images_of_all_sub_folders_sorted(tmp_path):
    touch(tmp_path, "b.nii", "a/deep/c.nii.gz", "a/a.nii.gz", "a/notes.txt", "a/x.nii.gz.part")
    expected = ["a/a.nii.gz", "a/deep/c.nii.gz", "b.nii"]
    assert datalist.find_images(str(tmp_path)) == [str(tmp_path / name) for name in expected]


def test_leaves_out_hidden_files_and_folders(tmp_path):
    touch(tmp_path, "a.nii.gz", "._a.nii.gz", ".cache/b.nii.gz")
    assert datalist.find_images(str(tmp_path)) == [str(tmp_path / "a.nii.gz")]


def test_leaves_out_labels_and_segmentations(tmp_path):
    touch(tmp_path, "img/img0001.nii.gz", "label/label0001.nii.gz", "labelsTr/a.nii.gz")
    touch(tmp_path, "label0002.nii.gz", "img/img0001_seg.nii.gz")
    assert datalist.find_images(str(tmp_path)) == [str(tmp_path / "img/img0001.nii.gz")]


def test_folders_above_the_dataset_do_not_count(tmp_path):
    touch(tmp_path, ".hidden/labels/a.nii.gz")
    folder = tmp_path / ".hidden/labels"
    assert datalist.find_images(str(folder)) == [str(folder / "a.nii.gz")]


def test_single_file_is_taken_as_it_is(tmp_path):
    touch(tmp_path, "label.nii.gz", "other.nii.gz")
    assert datalist.find_images(str(tmp_path / "label.nii.gz")) == [str(tmp_path / "label.nii.gz")]


def test_missing_folder_is_refused(refusal, tmp_path):
    with refusal(f"{tmp_path}/none does not exist.*--dataset_dir"):
        datalist.find_images(str(tmp_path / "none"))


def test_folder_without_images_is_refused(refusal, tmp_path):
    touch(tmp_path, "labels/a.nii.gz", "ct.dcm")
    with refusal(f"{tmp_path} holds no image"):
        datalist.find_images(str(tmp_path))


def test_inference_takes_every_image_of_a_folder(tmp_path):
    corpus(tmp_path, 2)
    expected = [{"image": str(tmp_path / f"ct0{number}.nii.gz")} for number in range(2)]
    assert datalist.list_images(str(tmp_path), datalist=None) == expected


def test_empty_section_of_a_datalist_is_no_mistake(tmp_path):
    content = {"training": [{"image": "ct00.nii.gz"}], "validation": [], "test": []}
    path = write_json(tmp_path / "datalist.json", content)
    assert names(datalist.list_images(str(corpus(tmp_path, 1)), path)) == ["ct00.nii.gz"]


def test_inference_refuses_what_it_cannot_use(refusal, tmp_path):
    write_nifti(tmp_path / "flat.nii.gz", np.zeros((4, 5), np.int16))
    with refusal("flat.nii.gz has shape"):
        datalist.list_images(str(tmp_path), datalist=None)


def test_datalist_without_images_is_refused(refusal, tmp_path):
    path = write_json(tmp_path / "datalist.json", {"name": "BTCV"})
    with refusal("datalist.json lists no image"):
        datalist.list_images(str(tmp_path), path)


def test_missing_datalist_is_refused(refusal, tmp_path):
    with refusal("none.json does not exist; check --datalist"):
        datalist.list_images(str(tmp_path), str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "3",
        '{"training": ["a.nii.gz"]}',
        '{"training": [{"img": "a.nii.gz"}]}',
        '{"training": [{"image": ["a.nii.gz", "b.nii.gz"]}]}',
        '{"training": [{"image": "a.nii.gz", "label": ["b.nii.gz"]}]}',
    ],
)
def test_file_that_is_no_datalist_is_refused(refusal, tmp_path, text):
    (tmp_path / "datalist.json").write_text(text)
    with refusal("datalist.json cannot be read"):
        datalist.read_datalist(str(tmp_path / "datalist.json"), str(tmp_path), "training", False)


def test_inference_takes_all_sections_of_a_datalist(tmp_path):
    content = {
        "training": [{"image": "ct00.nii.gz", "label": "none.nii.gz"}],
        "validation": [{"image": "ct01.nii.gz"}],
        "test": ["ct02.nii.gz"],
    }
    path = write_json(tmp_path / "lists/datalist.json", content)
    found = datalist.list_images(str(corpus(tmp_path / "data", 3)), path)
    assert names(found) == ["ct00.nii.gz", "ct01.nii.gz", "ct02.nii.gz"]
    assert all(item.keys() == {"image"} for item in found)
