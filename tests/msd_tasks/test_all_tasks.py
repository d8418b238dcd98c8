"""All ten tasks on phantoms in their layouts: train two steps, evaluate, segment."""

import csv
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, run_here
from helpers import BUNDLES, config_files
from monai.bundle import ConfigParser

from tools import phantom

REAL_MR = Path(os.environ.get("REAL_DATA_DIR", ""), "real_mr_3mm.nii.gz")
TASKS = sorted(path.stem for path in (BUNDLES / "msd_tasks/configs/tasks").glob("*.json"))
SHORT = ["--epochs", 1, "--val_interval", 1, "--train::trainer::epoch_length", 2]
# thin slices and tiny volumes stay so; the others are of the demo's 4 mm
SPACING = {"Task04_Hippocampus": "[1.0,1.0,1.0]", "Task05_Prostate": "[1.24,1.24,3.6]"}


def draw(task: str, folder: Path) -> Path:
    phantom.msd(str(folder), task=task, count=5, test_count=1, spacing_mm=6.0)
    return folder / task


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_evaluates_and_segments(task, tmp_path):
    data, bundle = draw(task, tmp_path), copy_bundle("msd_tasks", tmp_path)
    files = config_files("msd_tasks", "train", f"tasks/{task}")
    config = ConfigParser.load_config_files(files)
    names = [name for number, name in config["labels"].items() if number != "0"]
    flags = ["--spacing_mm", SPACING[task]] if task in SPACING else []
    done = run_here(bundle, f"train tasks/{task} demo", "--dataset_dir", data, *flags, *SHORT)
    assert (bundle / "models/model.pt").is_file(), done.stdout
    run_here(bundle, f"train tasks/{task} demo evaluate", "--dataset_dir", data, *flags)
    with (bundle / "evaluation/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {*names, *config["regions"]}
    assert f"nsd_{config['tolerances_mm'][-1]:g}mm" in rows[0]

    run_here(bundle, f"inference tasks/{task} demo", "--dataset_dir", data / "imagesTs", *flags)
    (image,) = map(nib.load, (data / "imagesTs").iterdir())
    (labels,) = map(nib.load, (bundle / "predictions").iterdir())
    assert labels.shape == image.shape[:3]
    assert np.allclose(labels.affine, image.affine, atol=1e-5)
    assert labels.get_data_dtype() == np.uint8 and np.asarray(labels.dataobj).max() <= len(names)


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
