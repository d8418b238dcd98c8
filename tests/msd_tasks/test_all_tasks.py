"""All ten tasks on phantoms in their layouts: train two steps, evaluate, segment, submit."""

import csv
import json
import os
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, last_line, python_here, run_here
from helpers import BUNDLES, write_json

from tools import phantom

REAL_MR = Path(os.environ.get("REAL_DATA_DIR", ""), "real_mr_3mm.nii.gz")
TASKS = sorted(path.stem for path in (BUNDLES / "msd_tasks/configs/tasks").glob("*.json"))
SHORT = ["--epochs", 1, "--val_interval", 1, "--train::trainer::epoch_length", 2]
# thin slices and tiny volumes stay so; the others are of the demo's 4 mm
SPACING_MM = {"Task04_Hippocampus": [1.0, 1.0, 1.0], "Task05_Prostate": [1.24, 1.24, 3.6]}
ROUNDED = 0.5e-4 + 1e-6  # the table has four digits


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """The archives of the tasks, each drawn when it is needed."""
    return tmp_path_factory.mktemp("archives")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A copy in which spacing is the task's, since a submission of ten takes no flag of one."""
    folder = copy_bundle("msd_tasks", tmp_path_factory.mktemp("bundles"))
    demo = json.loads((folder / "configs/demo.json").read_text())
    coarse = demo.pop("spacing_mm")
    write_json(folder / "configs/small.json", demo)
    for task in TASKS:
        path = folder / f"configs/tasks/{task}.json"
        spacing = SPACING_MM.get(task, coarse)
        write_json(path, json.loads(path.read_text()) | {"spacing_mm": spacing})
    return folder


def train(bundle: Path, data: Path, task: str) -> list:
    """Trains a task unless that is done; returns the flags of its runs."""
    run_name, datalist = f"{task}_fold0", bundle / f"{task}.json"
    flags = ["--dataset_dir", data / task, "--datalist", datalist, "--run_name", run_name]
    if not datalist.is_file():
        phantom.msd(str(data), task=task, count=5, test_count=1, spacing_mm=6.0)
        words = ["scripts", "datalist", "msd", data / task, "--output", datalist]
        python_here(bundle, "-m", *words)
        run_here(bundle, f"train tasks/{task} small", *flags, *SHORT)
    weights = bundle / f"runs/{run_name}/checkpoints/best.pt"
    assert weights.is_file()
    return [*flags, "--ckpt_path", weights]


def submit(bundle: Path, data: Path, archive: Path, *flags):
    words = ["scripts", "submission", "make", data, archive, "--configs", "configs/small.json"]
    return python_here(bundle, "-m", *words, *flags)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_evaluates_and_segments(
    task, bundle, data, check_archive, library_figures, tmp_path
):
    flags = train(bundle, data, task)
    evaluation = tmp_path / "evaluation"
    configs = f"train tasks/{task} small evaluate"
    run_here(bundle, configs, *flags, "--evaluation_dir", evaluation)
    with (evaluation / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    config = json.loads((bundle / f"configs/tasks/{task}.json").read_text())
    organs = {name: [int(n)] for n, name in config["labels"].items() if n != "0"}
    organs |= config.get("regions", {})
    assert {row["name"] for row in rows} == {*organs}

    (case,) = {row["case"] for row in rows}
    (path,) = (data / task / "imagesTr").glob(f"{case}.*")
    weights = ["--ckpt_path", flags[-1], "--output_dir", tmp_path / "predictions"]
    run_here(bundle, f"inference tasks/{task} small", "--dataset_dir", path, *weights)
    (prediction,) = map(nib.load, (tmp_path / "predictions").rglob("*.nii.gz"))
    reference = nib.load(data / task / "labelsTr" / path.name)
    spacing_mm = [float(mm) for mm in reference.header.get_zooms()]
    maps = [np.asarray(volume.dataobj) for volume in (prediction, reference)]
    for row, mm in product(rows, config["tolerances_mm"]):
        masks = [np.isin(labels, organs[row["name"]]) for labels in maps]
        expected = library_figures(*masks, spacing_mm, mm)
        found = [float(row[key] or "nan") for key in ("dice", f"nsd_{mm}mm")]
        expected = expected if masks[1].any() else (np.nan, np.nan)
        assert found == pytest.approx(expected, abs=ROUNDED, nan_ok=True), row["name"]

    submit(bundle, data, tmp_path / "one.zip", "--tasks", task)
    check_archive(tmp_path / "one.zip", data, [task])


@pytest.mark.slow
def test_all_ten_are_one_submission(bundle, data, check_archive, tmp_path):
    """Labels that the test above has made are kept."""
    for task in TASKS:
        train(bundle, data, task)
    done = submit(bundle, data, tmp_path / "ten.zip")
    expected = f"{tmp_path / 'ten.zip'}: 10 cases of 10 tasks, verified"
    assert last_line(done.stdout) == expected
    check_archive(tmp_path / "ten.zip", data, TASKS)


@pytest.mark.skipif(not REAL_MR.is_file(), reason="REAL_DATA_DIR has no real_mr_3mm.nii.gz")
@pytest.mark.parametrize("task", ["Task02_Heart", "Task04_Hippocampus"])
def test_a_real_mr_is_segmented_on_its_own_grid(task, weights_of, tmp_path):
    bundle = copy_bundle("msd_tasks", tmp_path)
    flags = ["--dataset_dir", REAL_MR, "--ckpt_path", weights_of(task)]
    done = run_here(bundle, f"inference tasks/{task} demo", *flags)
    image, (path,) = nib.load(REAL_MR), (bundle / "predictions").iterdir()
    labels = nib.load(path)
    assert labels.shape == image.shape[:3]
    assert np.allclose(labels.affine, image.affine, atol=1e-4)
    assert "Hounsfield" not in done.stdout + done.stderr
