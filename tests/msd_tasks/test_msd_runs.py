"""`msd_tasks` as a user runs it: the default task, and one of four MRI channels."""

import json
import re

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, last_line, python, run, run_here, torchrun

SHORT = ["--epochs", 1, "--val_interval", 1]
TASKS = {
    "Task09_Spleen": ("", ["spleen"]),
    "Task01_BrainTumour": (
        "tasks/Task01_BrainTumour",
        ["edema", "non-enhancing tumour", "enhancing tumour"],
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_evaluates_and_segments(task, phantoms, tmp_path):
    bundle, (overlay, organs) = copy_bundle("msd_tasks", tmp_path), TASKS[task]
    data = ["--dataset_dir", phantoms / task]
    run_here(bundle, f"train {overlay} demo", *data, *SHORT)
    run_here(bundle, f"train {overlay} demo evaluate", *data)
    summary = json.loads((bundle / "evaluation/summary.json").read_text())
    assert list(summary["dice"]) == organs
    own = {"Task09_Spleen": "nsd_3mm", "Task01_BrainTumour": "nsd_5mm"}[task]
    columns = ["dice", "nsd_1mm", "nsd_2mm", own, "hd95_mm"]
    assert list(summary["over_organs"])[:5] == columns

    start = run_here if overlay else run  # of the bundle's own task by a Python of its own
    start(bundle, f"inference {overlay} demo", "--dataset_dir", phantoms / task / "imagesTs")
    (image,) = map(nib.load, (phantoms / task / "imagesTs").iterdir())
    (made,) = map(nib.load, (bundle / "predictions").iterdir())
    assert made.shape == image.shape[:3] and np.allclose(made.affine, image.affine, atol=1e-5)
    assert made.get_data_dtype() == np.uint8 and np.asarray(made.dataobj).max() <= len(organs)


def test_a_ct_task_starts_from_the_encoder(phantoms, pretrained, tmp_path):
    bundle = copy_bundle("msd_tasks", tmp_path)
    flags = ["--dataset_dir", phantoms / "Task09_Spleen", *SHORT]
    flags += ["--pretrained", pretrained / "models/encoder.pt"]
    assert "encoder 70 of 70 tensors" in run_here(bundle, "train demo", *flags).stdout


def test_a_four_channel_task_takes_a_one_channel_encoder_only_on_request(
    phantoms, pretrained, tmp_path
):
    bundle = copy_bundle("msd_tasks", tmp_path)
    configs = "train tasks/Task01_BrainTumour demo"
    flags = ["--dataset_dir", phantoms / "Task01_BrainTumour", *SHORT]
    flags += ["--pretrained", pretrained / "models/encoder.pt"]
    done = run_here(bundle, configs, *flags, check=False)
    assert done.returncode
    assert "has input channels 1, this network 4; --inflate_input True" in last_line(done.stderr)
    assert not (bundle / "runs").exists()
    done = run_here(bundle, configs, *flags, "--inflate_input", True)
    assert "encoder 70 of 70 tensors" in done.stdout
    assert "the one input channel repeated" in done.stdout
    assert "intensity -1000 to 1000, here normalised by each image" in done.stdout


@pytest.mark.parametrize("configs", ["inference {} demo", "train {} demo evaluate"])
@pytest.mark.parametrize("task", ["Task02_Heart", "Task01_BrainTumour"])
def test_weights_of_another_task_are_refused(task, configs, phantoms, weights_of, tmp_path):
    """Also those of Task09 for Task02, whose channels and classes agree."""
    bundle = copy_bundle("msd_tasks", tmp_path)
    shown = "Task01_BrainTumour" if task == "Task01_BrainTumour" else "Task09_Spleen"
    flags = ["--dataset_dir", phantoms / shown, "--ckpt_path", weights_of("Task09_Spleen")]
    done = run_here(bundle, configs.format(f"tasks/{task}"), *flags, check=False)
    assert done.returncode == 1
    sentence = (
        "Task09_Spleen.pt was trained for Task09_Spleen (spleen), and this run is for " + task
    )
    assert sentence in last_line(done.stderr)
    assert not any((bundle / name).exists() for name in ("predictions", "evaluation"))


@pytest.mark.parametrize("configs", ["inference {} demo", "train {} demo"])
def test_a_modality_that_is_missing_is_named(configs, phantoms, weights_of, tmp_path):
    flags = ["--dataset_dir", phantoms / "Task09_Spleen"]
    if configs.startswith("inference"):
        flags += ["--ckpt_path", weights_of("Task05_Prostate")]
    bundle, configs = copy_bundle("msd_tasks", tmp_path), configs.format("tasks/Task05_Prostate")
    done = run_here(bundle, configs, *flags, check=False)
    assert done.returncode == 1
    needed = "has 1 channel (shape .*), and 2 are needed along its fourth axis: T2, ADC"
    assert re.search(needed.replace("(", r"\(").replace(")", r"\)"), done.stdout + done.stderr)


def test_the_commands_start(tmp_path):
    shown = python(copy_bundle("msd_tasks", tmp_path), "-m", "scripts", "weights", "--help").stdout
    assert all(name in shown for name in ("inspect", "convert", "download"))


@pytest.mark.slow  # btcv_segmentation does so by the same overlay in the fast tests
def test_two_processes_train_together(phantoms, tmp_path):
    bundle = copy_bundle("msd_tasks", tmp_path)
    torchrun(
        bundle, "train demo multi_gpu_train", "--dataset_dir", phantoms / "Task09_Spleen", *SHORT
    )
    state = torch.load(bundle / "models/model.pt", weights_only=True)
    assert state["out.conv.conv.weight"].shape[0] == 2
