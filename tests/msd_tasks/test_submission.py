"""The submission: from test images and weights to the archive, and what is refused."""

import hashlib
import importlib
import json
import shutil
import subprocess
from collections import OrderedDict
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, last_line, python_here
from helpers import write_json

from tools import phantom


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    """Two tasks as downloaded, with two test images each."""
    folder = tmp_path_factory.mktemp("archives")
    for task in ("Task04_Hippocampus", "Task09_Spleen"):
        phantom.msd(str(folder), task=task, count=1, test_count=2, spacing_mm=6.0)
    return folder


@pytest.fixture
def bundle(tmp_path, weights_of) -> Path:
    folder = copy_bundle("msd_tasks", tmp_path)
    for task in ("Task04_Hippocampus", "Task09_Spleen"):
        best = folder / f"runs/{task}_fold0/checkpoints/best.pt"
        best.parent.mkdir(parents=True)
        shutil.move(weights_of(task), best)
    return folder


def make(bundle: Path, *arguments, check: bool = True):
    return python_here(bundle, "-m", "scripts", "submission", "make", *arguments, check=check)


def size_and_time(path: Path) -> list[int]:
    return [path.stat().st_size, path.stat().st_mtime_ns]


def write_labels(
    bundle: Path, archives: Path, task: str, value: int = 1, configs: tuple = (), **changes
) -> list[Path]:
    """Labels as an inference leaves them, of one value, with the record of their weights."""
    paths, folder = [], bundle / "predictions/submission" / task
    best = (bundle / f"runs/{task}_fold0/checkpoints/best.pt").resolve()
    images = sorted((archives / task / "imagesTs").iterdir())
    names = ["configs/inference.json", f"configs/tasks/{task}.json", *configs]
    hashes = [[name, hashlib.sha256((bundle / name).read_bytes()).hexdigest()] for name in names]
    record = {"weights": [[str(best), *size_and_time(best)]], "configs": hashes}
    record |= {"msd_orientation": False, "images": {i.name: size_and_time(i) for i in images}}
    write_json(folder / "made_by.json", record)
    for image in images:
        volume = nib.load(image)
        values = np.full(changes.get("shape", volume.shape[:3]), value, changes.get("dtype", "u1"))
        affine = changes.get("affine", np.eye(4)) @ volume.affine
        path = folder / image.name.replace(".nii", "_seg.nii")
        nib.save(nib.Nifti1Image(values, affine), path)
        paths.append(path)
    return paths


def test_what_is_segmented_already_is_kept(bundle, archives, check_archive, tmp_path, monkeypatch):
    (done, missing) = write_labels(bundle, archives, "Task04_Hippocampus")
    before, other = done.read_bytes(), missing.read_bytes()
    missing.unlink()  # half done, as after a kill
    write_labels(bundle, archives, "Task09_Spleen")
    again = bundle / "runs/Task09_Spleen_fold0-2"  # by `--resume never`: no further fold
    shutil.copytree(bundle / "runs/Task09_Spleen_fold0", again)
    listed = []

    def run(command: list[str], **_) -> subprocess.CompletedProcess:
        path = Path(command[command.index("--datalist") + 1])
        listed.extend(json.loads(path.read_text())["test"])
        missing.write_bytes(other)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    output = tmp_path / "submission.zip"
    result = make(bundle, archives, output)
    assert [item["image"] for item in listed] == [missing.name.replace("_seg", "")]
    assert last_line(result.stdout).startswith(f"{output}: 4 cases of 2 tasks, verified; the chal")
    assert "Task01_BrainTumour" in last_line(result.stdout)
    check_archive(output, archives, ["Task04_Hippocampus", "Task09_Spleen"])
    assert done.read_bytes() == before


@pytest.mark.parametrize("value", [True, False])
def test_the_inference_is_told_the_orientation_of_the_task(
    load_scripts, archives, tmp_path, monkeypatch, value
):
    load_scripts("msd_tasks")
    commands = importlib.import_module("scripts.submission.commands")
    tasks = importlib.import_module("scripts.submission.tasks")
    lists = []

    def run(command: list[str], **_) -> subprocess.CompletedProcess:
        path = command[command.index("--datalist") + 1]
        lists.append(json.loads(Path(path).read_text()))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(commands.subprocess, "run", run)
    (task,) = tasks.find_tasks(str(archives), str(tmp_path), ["Task09_Spleen"])
    task.labels_dir.mkdir()
    assert commands._segment(task, ["best.pt"], [], value)
    assert [each["msd_orientation"] for each in lists] == [value]
    assert len(lists[0]["test"]) == 2


def member(path: Path, value: bool | None, is_old: bool = False) -> str:
    """A checkpoint of a training that read headers so; an old one tells it in its config alone."""
    state = OrderedDict(weight=torch.zeros(1))
    config = {} if value is None else {"msd_orientation": value}
    state._metadata = OrderedDict({"trained_with": {} if is_old else config})
    torch.save({"network": state, "config": json.dumps(config if is_old else {})}, path)
    return str(path)


@pytest.fixture
def decide(load_scripts, archives, tmp_path, monkeypatch):
    """`decide(weights, by_hand)` for the spleen, whose headers a report calls wrong."""
    load_scripts("msd_tasks")
    orientation = importlib.import_module("scripts.submission.orientation")
    tasks = importlib.import_module("scripts.submission.tasks")
    (task,) = tasks.find_tasks(str(archives), str(tmp_path), ["Task09_Spleen"])
    by_report = lambda name, images, channels, by_hand: (  # noqa: E731
        by_hand if by_hand is not None else True,
        "by the report or by hand",
    )
    monkeypatch.setattr(orientation, "by_report", by_report)
    return lambda weights, by_hand=None: orientation.decide_orientation(task, weights, by_hand)


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("value", [True, False])
def test_test_images_are_read_as_the_weights_training_read_its_own(
    decide, tmp_path, capsys, value, is_old
):
    weights = [member(tmp_path / "a.pt", value, is_old), member(tmp_path / "b.pt", None)]
    assert decide(weights) is value
    said = capsys.readouterr().err
    assert f"msd_orientation is {str(value).lower()}, as in the training of the weights" in said
    assert decide(weights, by_hand=not value) is not value
    assert decide(weights[1:]) is True  # by the report
    assert decide([str(tmp_path / "model.onnx")]) is True  # no checkpoint


def test_one_submission_has_tasks_that_are_read_differently(
    bundle, archives, tmp_path, monkeypatch
):
    best = bundle / "runs/Task09_Spleen_fold0/checkpoints/best.pt"
    state = torch.load(best)
    state._metadata["trained_with"]["msd_orientation"] = True
    torch.save(state, best)
    fails = lambda command, **_: subprocess.CompletedProcess(command, 1)  # noqa: E731
    monkeypatch.setattr(subprocess, "run", fails)  # the records are written before
    make(bundle, archives, tmp_path / "a.zip", check=False)
    records = (bundle / "predictions/submission").glob("*/made_by.json")
    assert {r.parent.name: json.loads(r.read_text())["msd_orientation"] for r in records} == {
        "Task04_Hippocampus": False,
        "Task09_Spleen": True,
    }


def test_members_that_read_headers_differently_are_refused(decide, tmp_path):
    weights = [member(tmp_path / f"{value}.pt", value) for value in (False, True)]
    for by_hand in (None, True):
        with pytest.raises(ValueError, match=r"True.pt was trained with .* True, .*False.pt with"):
            decide(weights, by_hand)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": 7}, "holds 7, labels are [0, 1]"),
        ({"dtype": "i2"}, "holds int16, expected uint8"),
        ({"shape": (4, 5, 6)}, "has shape (4, 5, 6), its image"),
        ({"affine": np.diag([1, 1, 1.1, 1])}, "has another affine than its image"),
    ],
)
def test_labels_that_are_wrong_are_named_and_nothing_is_packed(
    bundle, archives, tmp_path, changes, words
):
    (first, _) = write_labels(bundle, archives, "Task09_Spleen", **changes)
    flags = ["--tasks", "Task09_Spleen"]
    done = make(bundle, archives, tmp_path / "a.zip", *flags, check=False)
    sentence = last_line(done.stderr)
    assert done.returncode == 1 and sentence.startswith(f"error: {first} {words}")
    assert "(and 1 more); nothing is packed" in sentence and not (tmp_path / "a.zip").exists()


def test_a_damaged_label_file_is_named(bundle, archives, tmp_path):
    (first, _) = write_labels(bundle, archives, "Task09_Spleen")
    first.write_bytes(first.read_bytes()[:50])
    done = make(bundle, archives, tmp_path / "a.zip", "--tasks", "Task09_Spleen", check=False)
    assert f"{first} cannot be read" in last_line(done.stderr)


def test_labels_of_other_weights_are_not_packed(bundle, archives, tmp_path):
    write_labels(bundle, archives, "Task09_Spleen")
    flags = ["--tasks", "Task09_Spleen"]
    make(bundle, archives, tmp_path / "a.zip", *flags)
    with (bundle / "runs/Task09_Spleen_fold0/checkpoints/best.pt").open("ab") as file:
        file.write(b" ")
    done = make(bundle, archives, tmp_path / "b.zip", *flags, check=False)
    assert "has labels of other weights or options; remove it" in last_line(done.stderr)
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.parametrize(
    "name", ["inference.json", "tasks/Task09_Spleen.json", "mine.json", "added.json"]
)
def test_labels_of_other_configs_are_not_packed(bundle, archives, tmp_path, name):
    """Of the bundle, of the task, or the user's own: what counts is what stands in them."""
    write_json(bundle / "configs/mine.json", {"overlap": 0.5})
    write_labels(bundle, archives, "Task09_Spleen", configs=("configs/mine.json",))
    flags, configs = ["--tasks", "Task09_Spleen"], "configs/mine.json"
    make(bundle, archives, tmp_path / "a.zip", *flags, "--configs", configs)
    path = bundle / "configs" / name
    content = json.loads(path.read_text()) if path.is_file() else {}
    write_json(path, content | {"overlap": 0.25})
    configs += ",configs/added.json" if name == "added.json" else ""
    done = make(bundle, archives, tmp_path / "b.zip", *flags, "--configs", configs, check=False)
    assert "has labels of other weights or options; remove it" in last_line(done.stderr)
    assert not (tmp_path / "b.zip").exists()


def test_a_config_that_is_missing_is_named(bundle, archives, tmp_path):
    flags = ["--tasks", "Task09_Spleen", "--configs", "configs/none.json"]
    done = make(bundle, archives, tmp_path / "a.zip", *flags, check=False)
    assert "configs/none.json cannot be read (No such file" in last_line(done.stderr)


def test_labels_of_another_image_are_not_packed(bundle, archives, tmp_path, monkeypatch):
    copy = shutil.copytree(archives, tmp_path / "copy")
    flags = ["--tasks", "Task09_Spleen"]
    (first, second) = write_labels(bundle, copy, "Task09_Spleen")
    make(bundle, copy, tmp_path / "a.zip", *flags)
    images = copy / "Task09_Spleen/imagesTs"
    image, other = (images / path.name.replace("_seg", "") for path in (first, second))
    shutil.copyfile(other, image)
    done = make(bundle, copy, tmp_path / "b.zip", *flags, check=False)
    assert f"{first} was made of another file than {image} is now" in last_line(done.stderr)
    assert not (tmp_path / "b.zip").exists()
    first.unlink()  # as the sentence says; the image is segmented anew
    written = lambda command, **_: (  # noqa: E731
        first.write_bytes(second.read_bytes()),
        subprocess.CompletedProcess(command, 0),
    )[1]
    monkeypatch.setattr(subprocess, "run", written)
    make(bundle, copy, tmp_path / "b.zip", *flags)


@pytest.mark.parametrize("content", ["{", "[1]", '{"weights": [], "configs": []}', None])
def test_labels_of_unknown_weights_are_not_packed(bundle, archives, tmp_path, content):
    (first, _) = write_labels(bundle, archives, "Task09_Spleen")
    record = first.parent / "made_by.json"
    record.write_text(content) if content else record.unlink()
    done = make(bundle, archives, tmp_path / "a.zip", "--tasks", "Task09_Spleen", check=False)
    assert "has labels of unknown weights or options; remove it" in last_line(done.stderr)
    assert not (tmp_path / "a.zip").exists()


def test_dataset_json_is_read_as_datalist_msd_reads_it(bundle, archives, tmp_path):
    copy = shutil.copytree(archives, tmp_path / "copy")
    path = copy / "Task09_Spleen/dataset.json"
    dataset = json.loads(path.read_text())
    dataset |= {"test": [*dataset["test"], "./imagesTs/._hidden.nii.gz"], "reference": "Köln"}
    path.write_bytes(json.dumps(dataset, ensure_ascii=False).encode("latin-1"))
    write_labels(bundle, copy, "Task09_Spleen")
    done = make(bundle, copy, tmp_path / "a.zip", "--tasks", "Task09_Spleen")
    assert "2 cases of 1 tasks, verified" in last_line(done.stdout)


def test_what_is_missing_is_named_before_any_work(bundle, archives, tmp_path):
    copy, output = shutil.copytree(archives, tmp_path / "copy"), tmp_path / "a.zip"
    (image, _) = sorted((copy / "Task09_Spleen/imagesTs").iterdir())
    image.unlink()
    dataset = json.loads((copy / "Task09_Spleen/dataset.json").read_text())
    assert any(image.name in name for name in dataset["test"])
    for arguments, words in [
        ([copy, output], f"imagesTs lacks {image.name}, which dataset.json lists"),
        ([tmp_path, output], "holds no folder of a task"),
        ([archives, output, "--tasks", "Task9_Spleen"], "did you mean Task09_Spleen?"),
        ([archives, output, "--tasks", "Task01_BrainTumour"], "has no imagesTs"),
        ([archives, output, "--ckpt_path", "none/{task}.pt"], "none/Task04_Hippocampus.pt do not"),
    ]:
        done = make(bundle, *arguments, check=False)
        assert done.returncode == 1 and words in last_line(done.stderr), done.stderr
    assert not output.exists() and not (bundle / "predictions").exists()
