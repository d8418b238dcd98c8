"""The objective as a user runs it: resumed exactly, in two processes, from public weights."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, run_here, torchrun
from PIL import Image
from weight_layouts import built, copied, disruptive_autoencoders, saved

CONFIGS = "train objectives/disrupted demo"
SHORT = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2]
SHORT += ["--checkpoint_interval", 1, "--log_interval", 1, "--train::handlers::1::n_saved", 9]
ONE_STEP = ["--iterations", 1, "--iterations_per_epoch", 1, "--batch_size", 2]


def final(bundle: Path) -> tuple[dict[str, torch.Tensor], str]:
    state = torch.load(bundle / "runs/demo/checkpoints/iteration_4.pt", weights_only=True)
    return state["network"], (bundle / "runs/demo/metrics.csv").read_text()


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [CONFIGS, "--dataset_dir", phantoms / "corpus", *SHORT]
    run_here(bundle, *command)
    weights, curves = final(bundle)
    for path in (bundle / "runs/demo/checkpoints").glob("*.pt"):
        if path.name != "iteration_1.pt":
            path.unlink()
    (bundle / "models/model.pt").unlink()
    done = run_here(bundle, *command)
    assert "goes on from runs/demo/checkpoints/iteration_1.pt" in done.stdout
    again, curves_again = final(bundle)
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], value) for name, value in weights.items())
    assert curves_again == curves


@pytest.mark.slow
def test_encoder_and_decoder_start_a_segmentation_with_every_tensor(phantoms, tmp_path):
    source, target = (copy_bundle(n, tmp_path) for n in ("pretrain_ssl", "btcv_segmentation"))
    run_here(source, CONFIGS, "--dataset_dir", phantoms / "corpus", *ONE_STEP)
    run_here(source, "export_encoder")
    flags = ["--epochs", 1, "--val_interval", 1, "--learning_rate", 1e-30]
    flags += ["--pretrained", source / "models/network.pt"]
    done = run_here(target, "train demo", "--dataset_dir", phantoms / "btcv", *flags)
    assert "weights: encoder 70 of 70 tensors, decoder 31 of 33 from" in done.stdout
    assert "objective disrupted, crops 64 x 64 x 32, 1 iterations" in done.stdout
    given = torch.load(source / "models/network.pt", weights_only=True)
    trained = torch.load(target / "models/model.pt", weights_only=True)
    assert trained.keys() - given.keys() == {"out.conv.conv.weight", "out.conv.conv.bias"}
    assert all((trained[n].float() - v).abs().max() < 1e-25 for n, v in given.items())


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
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 1]
    torchrun(bundle, f"{CONFIGS} multi_gpu_train", "--dataset_dir", phantoms / "corpus", *flags)
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["iteration"] == "2"
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
