"""Phantoms as archives: layouts, reproducibility, user mistakes."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from common.cli.commands import run
from common.errors import InputError
from tools.phantom import commands as phantom

SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, ESOPHAGUS, LIVER, STOMACH = range(1, 8)
AORTA, VENA_CAVA, PORTAL_VEIN, PANCREAS, RIGHT_ADRENAL, LEFT_ADRENAL = range(8, 14)


@pytest.fixture(scope="module")
def btcv(tmp_path_factory) -> list[tuple[nib.Nifti1Image, nib.Nifti1Image]]:
    """Images and labels of twelve cases in BTCV's layout at 6 mm."""
    out = tmp_path_factory.mktemp("btcv")
    phantom.btcv(str(out), count=12, spacing_mm=6.0)
    folder = out / "RawData" / "Training"
    names = [(f"img{i:04d}.nii.gz", f"label{i:04d}.nii.gz") for i in range(1, 13)]
    return [(nib.load(folder / "img" / a), nib.load(folder / "label" / b)) for a, b in names]


def files(folder: Path) -> dict[str, bytes]:
    """Content of all files below a folder by their relative path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def centre_mm(image: nib.Nifti1Image, label: int) -> np.ndarray:
    """World coordinates (3,) of a label's centre of mass."""
    voxels = np.argwhere(np.asarray(image.dataobj) == label)
    return nib.affines.apply_affine(image.affine, voxels.mean(0))


# Written files


def test_sides_are_right_in_world_coordinates(btcv):
    for _, label in btcv:
        x, y, z = np.transpose([centre_mm(label, organ) for organ in range(14)])
        assert x[LIVER] > x[SPLEEN] + 80
        assert x[RIGHT_KIDNEY] > x[LEFT_KIDNEY] + 60
        assert x[RIGHT_ADRENAL] > x[LEFT_ADRENAL]
        assert x[VENA_CAVA] > x[AORTA]
        assert y[STOMACH] > y[LEFT_KIDNEY] and y[PANCREAS] > y[AORTA]
        assert z[RIGHT_ADRENAL] > z[RIGHT_KIDNEY] and z[LEFT_ADRENAL] > z[LEFT_KIDNEY]


def test_image_and_label_share_their_grid(btcv):
    for image, label in btcv:
        assert image.shape == label.shape
        np.testing.assert_array_equal(image.affine, label.affine)
        assert set(np.unique(label.dataobj)) == set(range(14))


def test_files_vary_as_in_archives(btcv):
    orientations = {"".join(nib.aff2axcodes(image.affine)) for image, _ in btcv}
    assert {"RAS", "LPS"} <= orientations and len(orientations) >= 3
    assert any(code[2] not in "SI" for code in orientations)  # axes permuted
    assert len({image.get_data_dtype() for image, _ in btcv}) == 3
    assert len({label.get_data_dtype() for _, label in btcv}) == 2
    assert len({image.shape for image, _ in btcv}) > 6


def test_spacing_is_about_what_was_asked(btcv):
    for image, _ in btcv:
        x, y, z = nib.as_closest_canonical(image).header.get_zooms()
        assert x == y and 5.4 <= x <= 6.6 and x <= z <= 1.6 * x + 1e-3


def test_first_continues_the_numbers(btcv, tmp_path):
    phantom.btcv(str(tmp_path), count=1, first=12, spacing_mm=6.0)
    image = nib.load(tmp_path / "RawData" / "Training" / "img" / "img0012.nii.gz")
    np.testing.assert_array_equal(image.dataobj, btcv[11][0].dataobj)
    assert len(files(tmp_path)) == 2


def test_more_cases_keep_the_earlier_ones(tmp_path):
    phantom.corpus(str(tmp_path / "few"), count=2, spacing_mm=8.0)
    phantom.corpus(str(tmp_path / "more"), count=3, spacing_mm=8.0)
    phantom.corpus(str(tmp_path / "more"), count=3, spacing_mm=8.0)  # and once more over itself
    few, more = files(tmp_path / "few"), files(tmp_path / "more")
    assert len(more) == 3 and few == {name: more[name] for name in few}


def test_another_seed_gives_other_patients(tmp_path):
    for seed in (0, 1):
        phantom.corpus(str(tmp_path / str(seed)), count=1, seed=seed, spacing_mm=8.0)
    assert files(tmp_path / "0") != files(tmp_path / "1")


def test_corpus_is_a_tree_of_mixed_files(tmp_path):
    phantom.corpus(str(tmp_path), count=3, spacing_mm=8.0)
    assert sorted(files(tmp_path)) == [
        "patient_0001/ct.nii.gz",
        "patient_0002/study_1/ct.nii",
        "patient_0003/study_1/series_2/ct.nii.gz",
    ]


def test_variation_reaches_the_files_of_every_layout(tmp_path):
    for variation in (1.0, 2.0):
        out, options = str(tmp_path / str(variation)), {"spacing_mm": 9.0, "variation": variation}
        phantom.btcv(out, count=1, **options)
        phantom.corpus(out, count=1, **options)
        phantom.msd(out, task="Task09_Spleen", count=1, test_count=0, **options)
    one, two = files(tmp_path / "1.0"), files(tmp_path / "2.0")
    assert set(one) == set(two) and len(one) == 6
    assert [name for name in one if one[name] == two[name]] == ["Task09_Spleen/dataset.json"]


def test_layouts_have_different_patients():
    layouts = ["btcv", "corpus", *phantom.TASKS]
    draws = {phantom.case_rng(0, layout, i).random() for layout in layouts for i in range(50)}
    assert len(draws) == 50 * len(layouts)


# Medical Segmentation Decathlon


@pytest.mark.parametrize("task", phantom.TASKS)
def test_msd_task(tmp_path, task):
    phantom.msd(str(tmp_path), task=task, count=2, test_count=1, spacing_mm=6.0)
    folder, spec = tmp_path / task, phantom.TASKS[task]
    content = json.loads((folder / "dataset.json").read_text())
    assert content["labels"] == dict(zip("0123", ("background", *spec.labels), strict=False))
    assert list(content["modality"].values()) == list(spec.channels)
    assert (content["numTraining"], content["numTest"]) == (2, 1)
    for case in content["training"]:
        image, label = nib.load(folder / case["image"]), nib.load(folder / case["label"])
        assert image.shape[:3] == label.shape
        assert image.shape[3:] == ((len(spec.channels),) if len(spec.channels) > 1 else ())
        np.testing.assert_array_equal(image.affine, label.affine)
        assert set(np.unique(label.dataobj)) == set(range(len(spec.labels) + 1))
        values = np.asarray(image.dataobj)
        assert np.isfinite(values).all()
        assert values.min() < -900 if spec.channels == ("CT",) else values.min() >= 0
    (name,) = content["test"]
    assert (folder / name).is_file() and not (folder / name.replace("images", "labels")).exists()
    assert len(files(folder)) == 6  # two pairs, one test image, dataset.json


@pytest.mark.parametrize(
    ("task", "least", "most", "ratio"),
    [
        ("Task04_Hippocampus", (28, 45, 33), (44, 73, 54), (1, 1)),
        ("Task05_Prostate", (160, 160, 11), (230, 230, 21), (5.2, 6.4)),
    ],
)
def test_tiny_volumes_and_thin_slices_are_as_in_the_archive(tmp_path, task, least, most, ratio):
    phantom.msd(str(tmp_path), task=task, count=3, test_count=0)
    for path in (tmp_path / task / "imagesTr").iterdir():
        image = nib.as_closest_canonical(nib.load(path))
        assert all(np.less_equal(least, image.shape[:3]) & np.less_equal(image.shape[:3], most))
        x, y, z = image.header.get_zooms()[:3]
        assert x == y and ratio[0] - 1e-3 <= z / x <= ratio[1] + 1e-3


def test_msd_names_its_files_as_the_archive_does():
    names = {task: phantom.case_name(spec, 4) for task, spec in phantom.TASKS.items()}
    assert names["Task09_Spleen"] == "spleen_4.nii.gz"
    assert names["Task01_BrainTumour"] == "BRATS_004.nii.gz"
    assert names["Task05_Prostate"] == "prostate_04.nii.gz"


def test_raising_msd_counts_keeps_the_files(tmp_path):
    phantom.msd(str(tmp_path), task="Task04_Hippocampus", count=1, test_count=1)
    before = files(tmp_path)
    phantom.msd(str(tmp_path), task="Task04_Hippocampus", count=2, test_count=2)
    after = files(tmp_path)
    kept = [name for name in before if not name.endswith(".json")]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert len(after) == 7


# User mistakes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["msd", "OUT", "--task", "Task11_Knee"], "Task11_Knee is unknown; did you mean Task"),
        (["btcv", "OUT", "--count", "0"], "--count: takes a whole number of 1 or more, not 0"),
        (["corpus", "FILE"], "is a file"),
        (["btcv", "FILE/OUT"], "FILE/OUT cannot be written"),
        (["msd", "FILE/OUT", "--task", "Task09_Spleen"], "FILE/OUT cannot be written"),
        (["corpus", "OUT", "--spacing_mm", "0"], "takes a number from 0.5 up to 10, not 0"),
        (["btcv", "OUT", "--first", "-3"], "--first: takes a whole number of 1 or more, not -3"),
        (["msd", "OUT", "--task", "Task09_Spleen", "--test_count", "-1"], "takes a whole"),
        (["btcv", "OUT", "--variation", "0.5"], "takes a number from 1 up to 3, not 0.5"),
        (["corpus", "OUT", "--seed", "-1"], "--seed: takes a whole number from 0 up to"),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    Path("FILE").touch()
    with pytest.raises(SystemExit) as error:
        run(phantom.COMMANDS, arguments=arguments)
    assert sentence in str(error.value) and "\n" not in str(error.value)
    assert not Path("OUT").exists()


def test_unknown_task_names_the_ten_and_the_nearest(tmp_path):
    ten = ", ".join(phantom.TASKS)
    for task, words in (("11", "there"), ("Spleen", "did you mean Task09_Spleen. There")):
        with pytest.raises(SystemExit, match=f"{task} is unknown; {words} are {ten}"):
            run(phantom.COMMANDS, arguments=["msd", str(tmp_path), "--task", task])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def half(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(InputError, match="a.txt cannot be written .disk full.; make room for it"):
        phantom.write(path, half)
    assert files(tmp_path) == {"a.txt": b"old"}
