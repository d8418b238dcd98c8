"""`python -m scripts datalist`: what it writes, and that it names every problem at once."""

import importlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, python_here
from helpers import write_nifti

SHAPE = (6, 5, 4)
NUMBERS = [*range(1, 11), *range(21, 41)]


@pytest.fixture
def datalist(scripts):
    return importlib.import_module("scripts.datalist.commands")


def organs(*numbers: int) -> np.ndarray:
    """A label map that shows these numbers, a voxel each."""
    label = np.zeros(SHAPE, np.uint8)
    label.flat[: len(numbers)] = numbers
    return label


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 400, SHAPE).astype(np.int16)


def raw_data(root: Path, numbers=NUMBERS, tests=(61, 62)) -> Path:
    """BTCV's archive in small; case 3 has no esophagus."""
    for number in numbers:
        shown = [n for n in range(1, 14) if (number, n) != (3, 5)]
        write_nifti(root / f"RawData/Training/img/img{number:04}.nii.gz", image(number))
        write_nifti(root / f"RawData/Training/label/label{number:04}.nii.gz", organs(*shown))
    for number in tests:
        write_nifti(root / f"RawData/Testing/img/img{number:04}.nii.gz", image(number))
    return root / "RawData"


def test_btcv_gets_folds_ranks_the_published_split_and_its_tests(datalist, tmp_path):
    folder, output = raw_data(tmp_path), tmp_path / "lists/btcv.json"
    printed = datalist.btcv(str(folder), str(output)).splitlines()
    content = json.loads(output.read_text())
    items = content["training"]
    assert [item["image"] for item in items] == [f"Training/img/img{n:04}.nii.gz" for n in NUMBERS]
    assert items[0]["label"] == "Training/label/label0001.nii.gz"
    assert sorted(item["fold"] for item in items) == sorted([*range(5)] * 6)
    assert sorted(item["rank"] for item in items) == list(range(30))
    validation = [item["image"][-6 - 5 : -7] for item in items if item["split_24_6"] != "training"]
    assert validation == [f"{n:04}" for n in range(35, 41)]
    assert content["test"] == ["Testing/img/img0061.nii.gz", "Testing/img/img0062.nii.gz"]
    assert printed == [
        "30 labelled images, 2 without labels",
        "--split btcv_24_6: 24 train, img0035 to img0040 validate",
        "esophagus is not in img0003",
        f"{output} is for --dataset_dir {folder} --datalist {output}",
    ]


def test_the_folder_above_raw_data_is_understood_and_seeds_differ(datalist, tmp_path):
    raw_data(tmp_path, range(1, 7), tests=())
    found = []
    for seed in (0, 0, 1):
        printed = datalist.btcv(str(tmp_path), str(tmp_path / "a.json"), seed)
        assert "no --split btcv_24_6" in printed
        found.append(json.loads((tmp_path / "a.json").read_text())["training"])
    assert found[0] == found[1] != found[2]
    assert found[0][0]["image"] == "RawData/Training/img/img0001.nii.gz"
    assert "split_24_6" not in found[0][0]


def spoiled(root: Path) -> dict[str, str]:
    """An archive with every kind of problem; the sentence about each file."""
    folder = raw_data(root, range(1, 13))
    images, labels = folder / "Training/img", folder / "Training/label"
    (labels / "label0001.nii.gz").unlink()
    (images / "img0002.nii.gz").unlink()
    write_nifti(labels / "label0003.nii.gz", organs(1)[:-1])
    write_nifti(labels / "label0004.nii.gz", organs(1), spacing_mm=(1, 1, 2))
    write_nifti(labels / "label0005.nii.gz", organs(1, 14, 77))
    write_nifti(labels / "label0006.nii.gz", organs(1).astype(np.float32) * 1.5)
    write_nifti(labels / "label0007.nii.gz", organs())
    large = np.tile(image(), (8, 8, 8))
    cut = Path(write_nifti(images / "img0008.nii.gz", large))
    write_nifti(labels / "label0008.nii.gz", np.ones(large.shape, np.uint8))
    cut.write_bytes(cut.read_bytes()[:-60])
    (images / "img0009.nii.gz").write_text("no image")
    header = nib.Nifti1Header()
    header.set_sform(np.diag([1.0, 1, 0, 1]), code=1)
    nib.save(nib.Nifti1Image(image(), None, header), images / "img0010.nii.gz")
    write_nifti(images / "img0011.nii.gz", np.full(SHAPE, np.nan, np.float32))
    (folder / "Testing/img/img0061.nii.gz").write_text("no image")
    return {
        "img0001": "has no label in",
        "label0002": "has no image in",
        "label0003": r"(5, 5, 4) is not on the grid of",
        "label0004": "their affine differ",
        "label0005": "holds 14, 77, which no label has: labels are 0 to 13; mend the file",
        "label0006": "holds 1.5, which no label has: labels are 0 to 13",
        "label0007": "labels nothing; label it or remove the pair.",
        "img0008": "is cut short or damaged",
        "img0009": "cannot be read as an image",
        "img0010": "singular affine",
        "img0011": "holds no finite voxel",
        "img0061": "cannot be read as an image",
    }


def test_every_problem_is_named_and_nothing_is_written(tmp_path):
    expected, bundle = spoiled(tmp_path), copy_bundle("btcv_segmentation", tmp_path / "b")
    command = ["-m", "scripts", "datalist", "btcv"]
    done = python_here(bundle, *command, tmp_path / "RawData", check=False)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1 and not (bundle / "datalist.json").exists()
    assert lines[-1] == (
        "error: 12 problems, named above; nothing is written before all are mended."
    )
    for name, words in expected.items():
        (line,) = [line for line in lines if f"/{name}.nii.gz" in line.split(" ")[0]]
        assert words in line


# own data


def own_data(root: Path, count: int = 6) -> tuple[str, str]:
    for n in range(count):
        affine = np.diag([-2.0, -2.0, 3.0 + n, 1.0])  # LPS
        write_nifti(root / f"images/ct{n}_0000.nii.gz", image(n), affine=affine)
        write_nifti(root / f"labels/ct{n}.nii.gz", organs(2, 40, 200), affine=affine)
    return str(root / "images"), str(root / "labels")


def test_own_data_get_a_list_and_the_overlay_they_need(datalist, tmp_path):
    images, labels = own_data(tmp_path)
    overlay, output = tmp_path / "o/own.json", tmp_path / "list.json"
    printed = datalist.folder(images, labels, str(output), str(overlay))
    assert f"--dataset_dir {tmp_path} --datalist {output}" in printed
    items = json.loads(output.read_text())["training"]
    assert (
        items[3]["image"] == "images/ct3_0000.nii.gz" and items[3]["label"] == "labels/ct3.nii.gz"
    )
    config = json.loads(overlay.read_text())
    shown = np.concatenate([image(n).flat[:3] for n in range(6)])
    low, high = np.percentile(shown, [0.5, 99.5])
    assert config.pop("_desc_")
    assert config == {
        "labels": {"0": "background", "2": "label 2", "40": "label 40", "200": "label 200"},
        "class_weights": None,
        "spacing_mm": [2.0, 2.0, 5.5],
        "hu_min": round(low),
        "hu_max": round(high),
    }


@pytest.mark.parametrize(
    ("values", "low", "high", "is_hu"),
    [
        ((0.0123, 0.9816), 0.012, 0.982, False),
        ((-0.6, 0.4), -0.6, 0.4, False),
        ((3.14159, 15.5555), 3.1, 15.6, False),
        ((1e-5, 2.34567e-3), 1e-5, 2.35e-3, False),
        ((0.4, 0.4), 0, 0, False),
        ((-120.4, 240.6), -120, 241, True),
        ((0.0, 60000.0), 0, 60000, False),
    ],
)
def test_a_narrow_range_of_intensities_keeps_its_digits_and_is_said(
    datalist, tmp_path, values, low, high, is_hu
):
    images, labels = tmp_path / "images", tmp_path / "labels"
    for n in range(5):
        halves = np.repeat(np.array(values, np.float32), 500).reshape(10, 10, 10)
        write_nifti(images / f"{n}.nii.gz", halves)
        write_nifti(labels / f"{n}.nii.gz", np.ones((10, 10, 10), np.uint8))
    overlay = tmp_path / "own.json"
    printed = datalist.folder(str(images), str(labels), str(tmp_path / "list.json"), str(overlay))
    config = json.loads(overlay.read_text())
    assert (config["hu_min"], config["hu_max"]) == (low, high)
    assert ("does not look like HU" in printed) != is_hu


def test_the_overlay_is_printed_when_no_file_is_given(datalist, tmp_path):
    printed = datalist.folder(*own_data(tmp_path), str(tmp_path / "list.json"))
    assert json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["labels"]["40"]


def test_of_few_cases_the_last_validates(datalist, refusal, tmp_path):
    printed = datalist.folder(*own_data(tmp_path, 3), str(tmp_path / "list.json"))
    content = json.loads((tmp_path / "list.json").read_text())
    assert (len(content["training"]), len(content["validation"])) == (2, 1)
    assert "ct2_0000.nii.gz validates, others train" in printed
    images, labels = own_data(tmp_path / "single", 1)
    with refusal("holds 1 labelled images; training takes two"):
        datalist.folder(images, labels, str(tmp_path / "other.json"))
    assert not (tmp_path / "other.json").exists()


def test_own_labels_are_whole_numbers(datalist, refusal, tmp_path, capsys):
    images, labels = own_data(tmp_path)
    write_nifti(
        Path(labels, "ct1.nii.gz"),
        organs(1).astype(np.float32) - 0.5,
        affine=np.diag([-2.0, -2.0, 4.0, 1.0]),
    )
    with refusal("1 problem, named above"):
        datalist.folder(images, labels, str(tmp_path / "list.json"))
    assert "ct1.nii.gz holds -0.5, 0.5, which are no whole numbers" in capsys.readouterr().err


def test_a_folder_that_is_missing_is_refused(datalist, refusal, tmp_path):
    with refusal("nowhere is not a folder; give the folders of images and of labels"):
        datalist.folder(str(tmp_path), str(tmp_path / "nowhere"))
