"""`msd_tasks` as a user runs it: the default task, and one of four MRI channels."""

import json
import re

import pytest
import torch
from bundle_runs import copy_bundle, last_line, python, python_here, run_here, torchrun

SHORT = ["--epochs", 1, "--val_interval", 1]
TASKS = {  # overlay, labels, tolerance of the challenge
    "Task09_Spleen": ("", ["spleen"], "nsd_3mm"),
    "Task01_BrainTumour": (
        "tasks/Task01_BrainTumour",
        ["edema", "non-enhancing tumour", "enhancing tumour"],
        "nsd_5mm",
    ),
}


def test_two_tasks_from_datalist_to_submission(phantoms, check_archive, tmp_path):
    """The submission starts a Python of its own for each task's inference."""
    bundle = copy_bundle("msd_tasks", tmp_path)
    for task, (overlay, labels, own) in TASKS.items():
        data, datalist = phantoms / task, tmp_path / f"{task}.json"
        words = ["scripts", "datalist", "msd", data, "--output", datalist]
        python_here(bundle, "-m", *words)
        flags = ["--dataset_dir", data, "--datalist", datalist, "--run_name", f"{task}_fold0"]
        steps = ["--train::trainer::epoch_length", 2]
        run_here(bundle, f"train {overlay} demo", *flags, *SHORT, *steps)
        run_here(bundle, f"train {overlay} demo evaluate", *flags)
        summary = json.loads((bundle / "evaluation/summary.json").read_text())
        assert list(summary["dice"]) == labels
        columns = ["dice", "nsd_1mm", "nsd_2mm", own, "hd95_mm"]
        assert list(summary["over_organs"])[:5] == columns
    archive = tmp_path / "submission.zip"
    flags = ["--configs", "configs/demo.json"]
    done = python_here(bundle, "-m", "scripts", "submission", "make", phantoms, archive, *flags)
    assert last_line(done.stdout).startswith(f"{archive}: 2 cases of 2 tasks, verified; the chal")
    check_archive(archive, phantoms, list(TASKS))


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
    assert "intensity -1000 to 1000 as 0 to 1, here normalised by each image" in done.stdout


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
