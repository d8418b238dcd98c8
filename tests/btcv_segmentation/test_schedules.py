"""The overlays of fine-tuning schedules, in short trainings of the bundle from weights."""

import pytest
import torch
from bundle_runs import copy_bundle, last_line, run_here


def state(bundle, run: str) -> dict[str, torch.Tensor]:
    (path,) = sorted((bundle / f"runs/{run}/checkpoints").glob("iteration_*.pt"))[-1:]
    return torch.load(path, weights_only=True)


@pytest.mark.slow
def test_the_encoder_waits_for_the_decoder_and_both_overlays_go_together(tmp_path, phantoms):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    flags = ["--dataset_dir", phantoms / "btcv", "--epochs", 2, "--val_interval", 2]
    run_here(bundle, "train demo", *flags, "--run_name", "first", "--warmup_epochs", 1)
    start = bundle / "start.pt"
    torch.save(torch.load(bundle / "models/model.pt", weights_only=True), start)
    before = torch.load(start, weights_only=True)
    for run, decoder_epochs in [("waits", 2), ("learns", 0)]:
        both = "train demo schedules/layer_decay schedules/sawtooth"
        t_total = ["--lr_scheduler::t_total", 1000, "--warmup_epochs", 1]
        given = ["--pretrained", start, "--run_name", run, "--decoder_epochs", decoder_epochs]
        run_here(bundle, both, *flags, *given, *t_total)
        found = state(bundle, run)
        assert len(found["optimizer"]["param_groups"]) == 6  # patches, four blocks, the rest
        moved = {n for n, value in found["network"].items() if not value.equal(before[n])}
        encoder = {name for name in moved if name.startswith("swinViT.")}
        assert moved - encoder
        assert bool(encoder) == (run == "learns")


def test_sawtooth_on_a_random_encoder_is_refused_before_any_work(tmp_path, phantoms):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    command = ["train demo schedules/sawtooth", "--dataset_dir", phantoms / "btcv"]
    done = run_here(bundle, *command, check=False)
    assert done.returncode == 1
    assert "without --pretrained that one is random; give --pre" in last_line(done.stderr)
    assert not (bundle / "runs").exists() and not list(bundle.glob("models/*.pt"))
