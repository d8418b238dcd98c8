"""`python -m scripts datalist msd`: the dialects of `dataset.json`, and a sentence a problem."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import BUNDLES, import_scripts, write_json, write_nifti

SHAPE = (6, 5, 4)


@pytest.fixture
def datalist():
    import_scripts("msd_tasks")
    return importlib.import_module("scripts.datalist.commands")


@pytest.fixture
def refusal(datalist):
    error = importlib.import_module("scripts.common.errors").InputError
    return lambda words: pytest.raises(error, match=words)


def label(*numbers: int) -> np.ndarray:
    """A label map that shows these numbers, a voxel each."""
    array = np.zeros(SHAPE, np.uint8)
    array.flat[: len(numbers)] = numbers
    return array


def image(seed: int = 0, channels: int = 1) -> np.ndarray:
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    return np.random.default_rng(seed).integers(-1000, 400, shape).astype(np.int16)


def archive(root: Path, numbers=(1,), channels: int = 1, **changes) -> Path:
    """A task as downloaded, five labelled images and two without; `changes` of `dataset.json`."""
    training = [f"case_{n}.nii.gz" for n in range(5)]
    tests = ["case_7.nii.gz", "case_8.nii.gz"]
    for n, name in enumerate(training):
        write_nifti(root / "imagesTr" / name, image(n, channels))
        write_nifti(root / "labelsTr" / name, label(*numbers))
    for name in tests:
        write_nifti(root / "imagesTs" / name, image(9, channels))
    content = {
        "name": "Spleen",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen"},
        "numTraining": 5,
        "training": [
            {"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in training
        ],
        "test": [f"./imagesTs/{name}" for name in tests],
    } | changes
    write_json(root / "dataset.json", {k: v for k, v in content.items() if v is not None})
    return root


def spleen(root: Path, **changes) -> Path:
    return archive(root / "Task09_Spleen", **changes)


def test_a_task_as_downloaded_gets_folds_ranks_tests_and_its_orientation(datalist, tmp_path):
    root, output = spleen(tmp_path), tmp_path / "lists/spleen.json"
    printed = datalist.msd(str(root), str(output)).splitlines()
    content = json.loads(output.read_text())
    items = content["training"]
    assert [item["image"] for item in items] == [f"imagesTr/case_{n}.nii.gz" for n in range(5)]
    assert [item["label"] for item in items] == [f"labelsTr/case_{n}.nii.gz" for n in range(5)]
    assert sorted(item["fold"] for item in items) == sorted(item["rank"] for item in items)
    assert content["test"] == ["imagesTs/case_7.nii.gz", "imagesTs/case_8.nii.gz"]
    assert content["name"] == "Task09_Spleen" and content["msd_orientation"] is True
    assert printed == [
        "5 labelled images, 2 without labels",
        "msd_orientation is true: the headers reverse x and y "
        "(https://github.com/Project-MONAI/model-zoo/issues/766)",
        f"{output} is for --dataset_dir {root} --datalist {output}",
    ]
    first = output.read_text()
    datalist.msd(str(root), str(output), seed=1)
    assert output.read_text() != first


def test_the_datalist_is_one_that_a_training_reads(datalist, tmp_path):
    root = spleen(tmp_path)
    datalist.msd(str(root), str(tmp_path / "a.json"))
    read = importlib.import_module("scripts.common.segmentation").read_labelled_data
    cases = read(str(root), str(tmp_path / "a.json"))
    assert len(cases["training"]) == 5 and cases["test"] == []
    listed = importlib.import_module("scripts.common.inference").list_images
    assert len(listed(str(root), str(tmp_path / "a.json"))) == 7


PLAIN = [f"case_{n}.nii.gz" for n in range(5)]
DIALECTS = {
    "plain names": {"training": PLAIN, "test": ["case_7.nii.gz", "case_8.nii.gz"]},
    "names without ending": {"training": [n.partition(".")[0] for n in PLAIN]},
    "images alone": {"training": [{"image": f"imagesTr/{name}"} for name in PLAIN]},
    "tests as dicts": {"test": [{"image": f"./imagesTs/case_{n}.nii.gz"} for n in (7, 8)]},
    "backslashes": {"training": [f".\\imagesTr\\{name}" for name in PLAIN]},
    "paths of another machine": {"training": [f"/mnt/Task09/imagesTr/{name}" for name in PLAIN]},
    "lists of modalities": {"modality": ["CT"]},
    "nnU-Net 2": {
        "training": None,
        "test": None,
        "modality": None,
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "spleen": 1},
        "file_ending": ".nii.gz",
    },
    "no name": {"name": None},
    "a name in full": {"name": "Task09_Spleen"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_give_one_datalist(dialect, datalist, tmp_path):
    datalist.msd(str(spleen(tmp_path / "a")), str(tmp_path / "a.json"))
    changed = spleen(tmp_path / "b", **DIALECTS[dialect])
    datalist.msd(str(changed), str(tmp_path / "b.json"))
    assert (tmp_path / "b.json").read_text() == (tmp_path / "a.json").read_text()


def test_a_byte_order_mark_and_another_encoding_are_read(datalist, tmp_path):
    root = spleen(tmp_path, description="Hôpitaux")
    text = (root / "dataset.json").read_text().encode().decode("unicode_escape")
    (root / "dataset.json").write_bytes(text.encode("latin-1"))
    datalist.msd(str(root), str(tmp_path / "a.json"))
    (root / "dataset.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    datalist.msd(str(root), str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_without_dataset_json_the_folders_count(datalist, tmp_path):
    root = spleen(tmp_path)
    (root / "dataset.json").unlink()
    printed = datalist.msd(str(root), str(tmp_path / "a.json"))
    assert "has no dataset.json: images and labels are those of its folders" in printed
    assert len(json.loads((tmp_path / "a.json").read_text())["training"]) == 5


def test_hidden_files_and_files_beside_the_list_are_left_out(datalist, tmp_path):
    items = [{"image": "./imagesTr/._case_1.nii.gz", "label": "./labelsTr/._case_1.nii.gz"}]
    items += [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in PLAIN]
    root = spleen(tmp_path, training=items, numTraining=6)
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        (root / folder / "._case_1.nii.gz").write_bytes(b"Mac OS X")
    write_nifti(root / "imagesTr/case_6.nii.gz", image())
    printed = datalist.msd(str(root), str(tmp_path / "a.json"))
    assert "1 hidden files of dataset.json are left out" in printed
    assert f"left out of {root / 'imagesTr'}, not in dataset.json: 1 (case_6.nii.gz)" in printed
    assert "._" not in (tmp_path / "a.json").read_text()


def test_labels_of_floats_are_whole_numbers(datalist, tmp_path, recwarn):
    root = spleen(tmp_path)
    write_nifti(root / "labelsTr/case_1.nii.gz", label(1).astype(np.float64) * 1.0000001)
    datalist.msd(str(root), str(tmp_path / "a.json"))


def test_test_images_that_are_missing_are_named_and_no_obstacle(datalist, tmp_path):
    root = spleen(tmp_path)
    (root / "imagesTs/case_7.nii.gz").unlink()
    printed = datalist.msd(str(root), str(tmp_path / "a.json"))
    assert (
        "1 of 2 test images of dataset.json are not there (./imagesTs/case_7.nii.gz): a training "
        "needs none, a submission needs all"
    ) in printed
    shutil.rmtree(root / "imagesTs")
    printed = datalist.msd(str(root), str(tmp_path / "a.json"))
    assert "2 of 2 test images" in printed
    assert json.loads((tmp_path / "a.json").read_text())["test"] == []


@pytest.mark.parametrize(
    ("task", "name", "channels", "labels"),
    [
        ("Task01_BrainTumour", "BRATS", ["FLAIR", "T1w", "t1gd", "T2w"], "edema,a,b"),
        ("Task05_Prostate", "PROSTATE", ["T2", "ADC"], "PZ,TZ"),
    ],
)
def test_4d_images_have_their_channels(task, name, channels, labels, datalist, tmp_path):
    names = dict(enumerate(("background", *labels.split(","))))
    facts = {"name": name, "modality": dict(enumerate(channels)), "labels": names}
    numbers = range(1, len(names))
    root = archive(tmp_path / "download", numbers, len(channels), **facts)
    printed = datalist.msd(str(root), str(tmp_path / "a.json"))
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["name"] == task and content["msd_orientation"] is False
    assert "msd_orientation is false: no report says that the headers are wrong" in printed
    assert f", and {names[2]} in dataset.json" in printed


def test_a_report_counts_for_headers_as_it_found_them_and_the_command_line_before_it(
    datalist, tmp_path
):
    root, output = spleen(tmp_path), tmp_path / "a.json"
    affine = np.diag([-1.0, -1, 1, 1])
    write_nifti(root / "imagesTr/case_1.nii.gz", image(), affine=affine)
    write_nifti(root / "labelsTr/case_1.nii.gz", label(1), affine=affine)
    printed = datalist.msd(str(root), str(output))
    assert json.loads(output.read_text())["msd_orientation"] is False
    assert "msd_orientation is false: 1 of 7 headers are not RAS as in the report" in printed
    assert "(case_1.nii.gz); `datalist show` draws them" in printed
    printed = datalist.msd(str(root), str(output), msd_orientation=True)
    assert json.loads(output.read_text())["msd_orientation"] is True
    assert "msd_orientation is true, as the command says" in printed


# pictures


def test_the_picture_shows_each_image_by_the_header_and_corrected(datalist, tmp_path, monkeypatch):
    root = spleen(tmp_path)
    affine = np.diag([2.0, 1, 3, 1])
    for n in range(5):  # a bright box at the low end of x and y: left and posterior by the header
        box, shown = np.full((20, 30, 10), -900, np.int16), np.zeros((20, 30, 10), np.uint8)
        box[:5, :5], shown[:5, :5, 5] = 300, 1
        write_nifti(root / f"imagesTr/case_{n}.nii.gz", box, affine=affine)
        write_nifti(root / f"labelsTr/case_{n}.nii.gz", shown, affine=affine)
    from matplotlib.axes import Axes

    drawn, draw = [], Axes.imshow
    monkeypatch.setattr(
        Axes,
        "imshow",
        lambda self, picture, **how: drawn.append((picture, how)) or draw(self, picture, **how),
    )
    output = tmp_path / "pictures/a.png"
    printed = datalist.show(str(root), str(output), count=2)
    assert output.read_bytes().startswith(b"\x89PNG") and str(output) in printed
    assert len(drawn) == 2 * 4
    (axial, how), (coronal, _), (corrected, _), _ = drawn[:4]
    assert axial.shape == (30, 20) and coronal.shape == (10, 20)
    assert how["aspect"] == 0.5 and how["origin"] == "lower"
    # L is at the right of a picture and P below
    assert (axial[:5, -5:] == 300).all() and (axial == 300).sum() == 25
    assert (corrected[-5:, :5] == 300).all() and (corrected == 300).sum() == 25


def test_pictures_of_mr_with_several_channels_without_labels(datalist, tmp_path):
    labels = {"0": "background", "1": "PZ", "2": "TZ"}
    facts = {"name": "PROSTATE", "modality": {"0": "T2", "1": "ADC"}, "labels": labels}
    root = archive(tmp_path / "x", (1, 2), 2, **facts)
    (root / "labelsTr/case_0.nii.gz").unlink()
    datalist.show(str(root), str(tmp_path / "a.png"), count=9)
    assert (tmp_path / "a.png").stat().st_size


def test_a_picture_needs_images_that_can_be_read(datalist, refusal, tmp_path):
    root = spleen(tmp_path)
    (root / "imagesTr/case_0.nii.gz").write_text("no image")
    with refusal("case_0.nii.gz cannot be read as an image"):
        datalist.show(str(root), str(tmp_path / "a.png"))
    shutil.rmtree(root / "imagesTr")
    (root / "imagesTr").mkdir()
    with refusal("imagesTr holds no images; unpack the archive whole"):
        datalist.show(str(root), str(tmp_path / "a.png"))
    assert not (tmp_path / "a.png").exists()


# problems


def remove(root: Path) -> None:
    for name in PLAIN:
        (root / "imagesTr" / name).unlink()
    (root / "labelsTr" / PLAIN[0]).unlink()


def other_channels(root: Path) -> None:
    write_nifti(root / "imagesTs/case_7.nii.gz", image(0, 2))


def cut_short(root: Path) -> None:
    path = Path(write_nifti(root / "imagesTr/case_3.nii.gz", np.tile(image(), (8, 8, 8))))
    write_nifti(root / "labelsTr/case_3.nii.gz", np.ones(np.multiply(SHAPE, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:-60])


def channels_in_files(root: Path) -> None:
    for n, name in enumerate(PLAIN):
        (root / "imagesTr" / name).rename(root / f"imagesTr/case_{n}_0000.nii.gz")
        write_nifti(root / f"imagesTr/case_{n}_0001.nii.gz", image())


def other_label(root: Path) -> None:
    write_nifti(root / "labelsTr/case_2.nii.gz", label(1, 3))


def a_fraction(root: Path) -> None:
    write_nifti(root / "labelsTr/case_2.nii.gz", label(1).astype(np.float32) * 0.4)


def other_grid(root: Path) -> None:
    write_nifti(root / "labelsTr/case_2.nii.gz", label(1)[:-1])


NO_LIST = {"training": None, "test": None}
TWICE = [f"imagesTr/{name}" for name in [*PLAIN, PLAIN[0]]]
PROBLEMS = [  # changes of dataset.json, of the folder, and words of the sentences
    ({}, remove, ["lists ./imagesTr/case_0.nii.gz, ", "and 5 such files are not there; unpack"]),
    ({}, remove, ["./labelsTr/case_0.nii.gz, and 1 such file is not there"]),
    (NO_LIST | {"numTraining": 41}, None, ["counts 41 labelled images, and 5 are there; unpack"]),
    (NO_LIST, channels_in_files, ["each channel in a file of its own"]),
    ({}, cut_short, ["case_3.nii.gz is cut short or damaged"]),
    ({}, other_label, ["case_2.nii.gz holds 3, which no label has: labels are 0 to 1"]),
    ({}, a_fraction, ["case_2.nii.gz holds 0.4, which no label has"]),
    ({}, other_grid, ["(5, 5, 4) is not on the grid of"]),
    ({}, other_channels, ["imagesTs/case_7.nii.gz has shape (6, 5, 4, 2)"]),
    ({"training": TWICE}, None, ["imagesTr/case_0.nii.gz twice; mend the file"]),
]


@pytest.mark.parametrize(("changes", "spoil", "words"), PROBLEMS)
def test_problems_are_named_and_nothing_is_written(
    changes, spoil, words, datalist, refusal, tmp_path, capsys
):
    root = spleen(tmp_path, **changes)
    if spoil:
        spoil(root)
    with refusal("named above; nothing is written before all are mended"):
        datalist.msd(str(root), str(tmp_path / "a.json"))
    shown = capsys.readouterr().err
    assert all(each in shown for each in words), shown
    assert not (tmp_path / "a.json").exists()


REFUSED = [  # changes of dataset.json and the sentence
    ({"name": "LIVER"}, "is of Task03_Liver by its name LIVER, and its folder of Task09_Spleen"),
    (
        {"labels": {"0": "background", "1": "a", "2": "b"}},
        "has the labels 0 background, 1 a",
    ),
    ({"labels": {"0": "spleen", "1": "background"}}, "Task09_Spleen has 0 background, 1 spleen; "),
    (
        {"modality": {"0": "T2", "1": "ADC"}},
        r"has 2 channels \(T2, ADC\) and lacks CT, and Task09_Spleen takes 1 \(CT\)",
    ),
    ({"training": [{"picture": "x"}]}, "is in no known form"),
    ({"training": {"a": 1}}, "is in no known form"),
    ({"labels": {"spleen": [1, 2]}}, "is in no known form"),
    ({"numTraining": "many"}, "is in no known form"),
]


def test_a_modality_that_a_brain_lacks_is_named(datalist, refusal, tmp_path, capsys):
    labels = {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"}
    named = {"name": "BRATS", "modality": {"0": "FLAIR", "1": "t1gd", "2": "T2w"}}
    root = archive(tmp_path / "Task01_BrainTumour", (1, 2, 3), 3, labels=labels, **named)
    with refusal("3 channels .FLAIR, t1gd, T2w. and lacks T1w, and Task01_BrainTumour takes 4"):
        datalist.msd(str(root), str(tmp_path / "a.json"))
    (root / "dataset.json").unlink()  # then the files alone tell, and cannot say which
    with refusal("named above"):
        datalist.msd(str(root), str(tmp_path / "a.json"))
    needed = "(shape (6, 5, 4, 3)), and 4 are needed along its fourth axis: FLAIR, T1w, T1gd, T2w"
    assert f"case_0.nii.gz has 3 channels {needed}" in capsys.readouterr().err


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_what_is_not_of_the_task_is_refused(changes, sentence, datalist, refusal, tmp_path):
    root = spleen(tmp_path, **changes)
    with refusal(sentence):
        datalist.msd(str(root), str(tmp_path / "a.json"))
    assert not (tmp_path / "a.json").exists()


def test_the_task_is_named_by_folder_by_file_or_by_hand(datalist, refusal, tmp_path):
    output = str(tmp_path / "a.json")
    root = spleen(tmp_path, name="mine")
    datalist.msd(str(root), output)
    other = root.rename(tmp_path / "mine")
    with refusal("is of no known task by its name; give --task, one of Task01_BrainTumour, "):
        datalist.msd(str(other), output)
    datalist.msd(str(other), output, task="Task09_Spleen")
    ten = ", ".join(path.stem for path in sorted((BUNDLES / "msd_tasks/configs/tasks").iterdir()))
    near = "did you mean Task09_Spleen. There"
    for task, words in (("Task9_Spleen", near), ("kidney", "there")):
        with refusal(f"--task {task} is no task of this bundle; {words} are {ten}"):
            datalist.msd(str(other), output, task=task)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("Task09_Spleen", "Task09_Spleen"),
        ("task03", "Task03_Liver"),
        ("Dataset010_Colon", "Task10_Colon"),
        ("MSKCC_HepaticVessel", "Task08_HepaticVessel"),
        ("BRATS", "Task01_BrainTumour"),
        ("LeftAtrium", "Task02_Heart"),
        ("Hippocampus", "Task04_Hippocampus"),
        ("liver_spleen", None),
        ("Task03_Spleen", None),
        ("", None),
    ],
)
def test_names_of_archives(name, task, datalist):
    tasks = importlib.import_module("scripts.datalist.tasks")
    assert tasks._task_named(name, tasks.read_tasks()) == task


def test_paths_that_are_no_unpacked_task_are_refused(datalist, refusal, tmp_path):
    spleen(tmp_path)
    (tmp_path / "Task09_Spleen.tar").write_bytes(b"tar")
    (tmp_path / "empty").mkdir()
    for path, words in {
        "Task09_Spleen.tar": "is packed; unpack it",
        "nowhere": "does not exist; give the folder of one task",
        "empty": "has no folders imagesTr and labelsTr",
        ".": "holds folders of tasks; give one of them: .*Task09_Spleen",
    }.items():
        with refusal(words):
            datalist.msd(str(tmp_path / path), str(tmp_path / "a.json"))


def test_a_damaged_dataset_json_is_refused(datalist, refusal, tmp_path):
    root = spleen(tmp_path)
    (root / "dataset.json").write_text("{")
    with refusal("dataset.json is no JSON"):
        datalist.msd(str(root), str(tmp_path / "a.json"))
    (root / "dataset.json").write_text("[1]")
    with refusal("is in no known form"):
        datalist.msd(str(root), str(tmp_path / "a.json"))
