"""The objective as a user runs it: resumed exactly, in two processes, from public weights."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, run_here
from objective_runs import (
    SHORT,
    check_resumes_exactly,
    check_starts_a_segmentation,
    run_two_processes,
)
from PIL import Image
from weight_layouts import built, copied, disruptive_autoencoders, saved

CONFIGS = "train objectives/disrupted demo"
ONE_STEP = ["--iterations", 1, "--iterations_per_epoch", 1, "--batch_size", 2]


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    check_resumes_exactly(bundle, CONFIGS, "--dataset_dir", phantoms / "corpus", *SHORT)


@pytest.mark.slow
def test_encoder_and_decoder_start_a_segmentation_with_every_tensor(phantoms, tmp_path):
    check_starts_a_segmentation(tmp_path, phantoms, "objectives/disrupted", "disrupted")


@pytest.mark.slow
def test_public_weights_of_disruptive_autoencoders_start_it_output_layer_included(
    phantoms, tmp_path
):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    content = disruptive_autoencoders(copied(look_alike := built("legacy", out_channels=1)))
    given = look_alike.state_dict()
    given |= {name: content["model"][name] for name in given if name.startswith("out.")}
    flags = ["--pretrained", saved(tmp_path / "ssl_pretrained_weights.pth", content)]
    flags += ["--learning_rate", 1e-30, *ONE_STEP]
    done = run_here(bundle, CONFIGS, "--dataset_dir", phantoms / "corpus", *flags)
    assert "weights: encoder 70 of 70 tensors, decoder 33 of 33 from" in done.stdout
    assert "Disruptive Autoencoders; patch merging legacy, by its layout" in done.stdout
    trained = torch.load(bundle / "models/model.pt", weights_only=True)
    assert trained.keys() == given.keys()
    assert all((trained[name] - value).abs().max() < 1e-25 for name, value in given.items())


@pytest.mark.slow
def test_two_processes_train_every_parameter(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    rows = run_two_processes(bundle, "objectives/disrupted", phantoms / "corpus")
    assert {"validation/psnr_gain", "train/psnr_gain"} <= {row["name"] for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("left", ["noise_variance", "downsampling", "channel_drop_rate"])
def test_each_disruption_alone_is_a_command(phantoms, tmp_path, left):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    none = {"noise_variance": 0, "downsampling": 1, "channel_drop_rate": 0}
    flags = [word for name in none if name != left for word in (f"--{name}", none[name])]
    command = [CONFIGS, "--dataset_dir", phantoms / "corpus", *ONE_STEP, *flags]
    run_here(bundle, *command)
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        values = {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
    before = values["validation/psnr"] - values["validation/psnr_gain"]
    of = {"noise_variance": (9.5, 10.5), "downsampling": (10, 50), "channel_drop_rate": (99, 101)}
    assert of[left][0] < before < of[left][1]  # 0.1 is 10 dB; a perfect image counts as 100


@pytest.mark.slow
def test_a_real_ct_is_drawn_disrupted_and_restored(phantoms, tmp_path):
    images = sorted(Path(os.environ.get("REAL_DATA_DIR", ""), "real_ct").rglob("*.nii.gz"))
    if not images:
        pytest.skip("REAL_DATA_DIR holds no folder real_ct with CTs")
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    run_here(bundle, CONFIGS, "--dataset_dir", phantoms / "corpus", "--iterations", 2)
    overlays = "inference objectives/disrupted demo"
    run_here(bundle, overlays, "--dataset_dir", images[0])
    (picture,) = (bundle / "predictions").glob("*_triptych.png")
    intact, seen, restored = np.hsplit(np.asarray(Image.open(picture)), 3)
    # radiological: both axes are reversed, so that blocks begin at the far ends
    rows, columns = (-(-edge // 4) for edge in seen.shape)
    first = seen[::-1, ::-1][::4, ::4].repeat(4, 0).repeat(4, 1)[: seen.shape[0], : seen.shape[1]]
    assert np.array_equal(seen[::-1, ::-1], first) and rows * columns > 100
    assert not np.array_equal(intact, seen) and not np.array_equal(restored, seen)
