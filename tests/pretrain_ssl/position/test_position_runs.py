"""The task of position as a user runs it: alone, beside another, resumed, in two processes."""

import csv
import json

import pytest
import torch
from bundle_runs import copy_bundle, last_line, run_here
from objective_runs import SHORT, check_resumes_exactly, run_two_processes

HEAD = "position_head."


def curves(bundle) -> list[dict]:
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["position", "masked", "distilled"])
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path, name):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train objectives/{name} demo", "--dataset_dir", phantoms / "corpus", *SHORT]
    command += ["--position_weight", 0.5, *(["--prototypes", 64] if name == "distilled" else [])]
    state = check_resumes_exactly(bundle, *command, iteration=2)
    assert len([key for key in state if key.startswith(f"/1/{HEAD}")]) == 4


@pytest.mark.slow
def test_masked_with_the_position_trains_evaluates_infers_and_exports(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    data, both = ["--dataset_dir", phantoms / "corpus"], ["--position_weight", 1]
    configs = "train objectives/masked demo"
    run_here(bundle, configs, *data, *both, "--iterations", 2, "--iterations_per_epoch", 2)
    names = {row["name"] for row in curves(bundle)}
    for part in ("train", "validation"):
        assert {f"{part}/{n}" for n in ("masked_loss", "position_loss", "position_mm")} <= names
    assert "validation/position_r2" in names
    state = torch.load(bundle / "models/model.pt", weights_only=True)
    assert len([key for key in state if key.startswith(HEAD)]) == 4

    run_here(bundle, f"{configs} evaluate", *data, *both)
    metrics = json.loads((bundle / "evaluation/metrics.json").read_text())
    assert metrics["chance"]["position_r2"] == 0 and "masked_r2" in metrics["chance"]
    assert metrics["position_mm"] > 0 and metrics["loss"] == pytest.approx(
        metrics["masked_loss"] + metrics["position_loss"], rel=1e-6
    )
    assert metrics["chance"]["position_mm"] == pytest.approx(metrics["position_mm_of_middle"])
    header = (bundle / "evaluation/views.csv").read_text().splitlines()[0]
    assert "position_mm" in header and "masked_r2" in header
    done = run_here(bundle, f"{configs} evaluate", *data)
    assert "left out: 4 of the position head" in done.stdout + done.stderr
    alone = json.loads((bundle / "evaluation/metrics.json").read_text())
    assert alone["masked_r2"] == metrics["masked_r2"]
    assert not any("position" in name for name in alone)

    done = run_here(bundle, "inference objectives/masked demo", *data)
    assert "left out: 4 of the position head" in done.stdout + done.stderr
    assert len(list((bundle / "predictions").rglob("*_triptych.png"))) == 4
    run_here(bundle, "export_encoder")
    encoder = torch.load(bundle / "models/encoder.pt", weights_only=True)
    assert len(encoder) == 70 and all(torch.equal(v, state[k]) for k, v in encoder.items())


@pytest.mark.slow
def test_a_checkpoint_without_the_head_is_not_evaluated_for_it(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    data, configs = ["--dataset_dir", phantoms / "corpus"], "train objectives/masked demo"
    run_here(bundle, configs, *data, "--iterations", 1)
    done = run_here(bundle, f"{configs} evaluate", *data, "--position_weight", 1, check=False)
    assert done.returncode == 1
    assert "4 of 77 tensors missing (such as position_head." in last_line(done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heads_paper", "volume_fusion"])
def test_turned_and_mixed_crops_are_refused_before_any_work(phantoms, tmp_path, name):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train objectives/{name} demo", "--dataset_dir", phantoms / "corpus"]
    done = run_here(bundle, *command, "--position_weight", 1, check=False)
    assert done.returncode == 1
    words = f"--position_weight 1 does not go with the objective {name}: it turns, mirrors or mixes"
    assert words in last_line(done.stderr)
    assert not (bundle / "runs").exists() and not list((bundle / "models").glob("*.pt"))


@pytest.mark.slow
def test_two_processes_train_every_parameter(phantoms, tmp_path):
    bundle, corpus = copy_bundle("pretrain_ssl", tmp_path), phantoms / "corpus"
    rows = run_two_processes(bundle, "objectives/masked", corpus, "--position_weight", 1)
    assert any(row["name"] == "validation/position_r2" for row in rows)


@pytest.mark.slow
def test_two_processes_train_the_position_alone(phantoms, tmp_path):
    bundle, corpus = copy_bundle("pretrain_ssl", tmp_path), phantoms / "corpus"
    rows = run_two_processes(bundle, "objectives/position", corpus)
    assert {"validation/position_r2", "train/position_mm"} <= {row["name"] for row in rows}
