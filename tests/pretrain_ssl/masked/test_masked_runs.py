"""The objective as a user runs it: resumed exactly, in two processes, and on a real CT."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, run_here, torchrun
from PIL import Image

SHORT = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2]
SHORT += ["--checkpoint_interval", 1, "--log_interval", 1, "--train::handlers::1::n_saved", 9]
OVERLAYS = {"masked": "objectives/masked", "mae": "objectives/masked objectives/masked_mae"}


def final(bundle: Path) -> tuple[dict[str, torch.Tensor], str]:
    state = torch.load(bundle / "runs/demo/checkpoints/iteration_4.pt", weights_only=True)
    return state["network"], (bundle / "runs/demo/metrics.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("overlays", OVERLAYS.values(), ids=OVERLAYS)
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path, overlays):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train {overlays} demo", "--dataset_dir", phantoms / "corpus", *SHORT]
    run_here(bundle, *command)
    weights, curves = final(bundle)
    for path in (bundle / "runs/demo/checkpoints").glob("*.pt"):
        if path.name != "iteration_1.pt":
            path.unlink()
    (bundle / "models/model.pt").unlink()
    done = run_here(bundle, *command)
    assert "goes on from runs/demo/checkpoints/iteration_1.pt" in done.stdout
    again, curves_again = final(bundle)
    assert again.keys() == weights.keys() and "mask_token" in weights
    assert all(torch.equal(again[name], value) for name, value in weights.items())
    assert curves_again == curves


@pytest.mark.slow
def test_encoder_and_decoder_start_a_segmentation_with_every_tensor(phantoms, tmp_path):
    source, target = (copy_bundle(n, tmp_path) for n in ("pretrain_ssl", "btcv_segmentation"))
    flags = ["--iterations", 1, "--batch_size", 2]
    run_here(source, f"train {OVERLAYS['mae']} demo", "--dataset_dir", phantoms / "corpus", *flags)
    run_here(source, "export_encoder")
    flags = ["--epochs", 1, "--val_interval", 1, "--learning_rate", 1e-30]
    flags += ["--pretrained", source / "models/network.pt"]
    done = run_here(target, "train demo", "--dataset_dir", phantoms / "btcv", *flags)
    assert "weights: encoder 70 of 70 tensors, decoder 31 of 33 from" in done.stdout
    assert "objective masked_mae, crops 64 x 64 x 32, 1 iterations" in done.stdout
    given = torch.load(source / "models/network.pt", weights_only=True)
    trained = torch.load(target / "models/model.pt", weights_only=True)
    assert trained.keys() - given.keys() == {"out.conv.conv.weight", "out.conv.conv.bias"}
    assert all((trained[n].float() - v).abs().max() < 1e-25 for n, v in given.items())


@pytest.mark.slow
def test_two_processes_train_every_parameter(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    configs = f"train {OVERLAYS['mae']} demo multi_gpu_train"
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 1]
    torchrun(bundle, configs, "--dataset_dir", phantoms / "corpus", *flags)
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        assert list(csv.DictReader(file))[-1]["iteration"] == "2"


@pytest.mark.slow
def test_a_real_ct_is_drawn_with_what_is_hidden_and_what_is_restored(phantoms, tmp_path):
    images = sorted(Path(os.environ.get("REAL_DATA_DIR", ""), "real_ct").rglob("*.nii.gz"))
    if not images:
        pytest.skip("REAL_DATA_DIR holds no folder real_ct with CTs")
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    data = ["--dataset_dir", phantoms / "corpus"]
    run_here(bundle, f"train {OVERLAYS['masked']} demo", *data, "--iterations", 2)
    run_here(bundle, f"inference {OVERLAYS['masked']} demo", "--dataset_dir", images[0])
    (picture,) = (bundle / "predictions").glob("*_triptych.png")
    intact, seen, restored = np.hsplit(np.asarray(Image.open(picture)), 3)
    visible, hidden = seen > 0, (seen == 0) & (intact > 0)  # air is black in any case
    assert 0.1 < visible.mean() < 0.5 and 0.2 < hidden.mean() < 0.8
    assert np.array_equal(intact[visible], seen[visible])
    assert np.abs(restored[visible].astype(int) - intact[visible]).max() <= 1
    assert (restored != seen)[hidden].any()
