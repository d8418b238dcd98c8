"""The objective as a user runs it: resumed exactly, and in two processes."""

import csv

import pytest
import torch
from bundle_runs import copy_bundle, run_here, torchrun

SHORT = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2, "--prototypes", 64]
SHORT += ["--checkpoint_interval", 1, "--log_interval", 1, "--train::handlers::1::n_saved", 9]


def final(bundle) -> tuple[dict[str, torch.Tensor], str]:
    state = torch.load(bundle / "runs/demo/checkpoints/iteration_4.pt", weights_only=True)
    return state["network"], (bundle / "runs/demo/metrics.csv").read_text()


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    configs = "train objectives/distilled demo"
    command = [configs, "--dataset_dir", phantoms / "corpus", *SHORT]
    run_here(bundle, *command)
    weights, curves = final(bundle)
    for path in (bundle / "runs/demo/checkpoints").glob("*.pt"):
        if path.name != "iteration_1.pt":
            path.unlink()
    (bundle / "models/model.pt").unlink()
    done = run_here(bundle, *command)
    assert "goes on from runs/demo/checkpoints/iteration_1.pt" in done.stdout
    again, curves_again = final(bundle)
    assert again.keys() == weights.keys() and curves_again == curves
    assert all(torch.equal(again[name], value) for name, value in weights.items())
    assert weights["teacher.token_centre"].abs().sum() > 0
    student, teacher = weights["mask_token"], weights["teacher.token_head.mlp.0.weight"]
    assert len(student) == 12 and not torch.equal(teacher, weights["token_head.mlp.0.weight"])


@pytest.mark.slow
def test_two_processes_train(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    configs = "train objectives/distilled demo multi_gpu_train"
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 1]
    flags += ["--prototypes", 64]
    torchrun(bundle, configs, "--dataset_dir", phantoms / "corpus", *flags)
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        assert list(csv.DictReader(file))[-1]["iteration"] == "2"
