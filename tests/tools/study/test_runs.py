"""A study of real bundle commands on phantoms, stopped in the middle of a training."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from helpers import ROOT, write_json


def small_study() -> dict:
    """The study of pre-training volumes, with two levels, one seed, and a few steps of each."""
    study = json.loads((ROOT / "tools/study/studies/pretraining_volumes_demo.json").read_text())
    volumes = study["factors"]["volumes"]
    volumes["4"]["pretrain"]["n_volumes"] = 2
    study["factors"] = {"volumes": {"0": volumes["0"], "2": volumes["4"]}, "seed": [0]}
    short = {"iterations": 2, "iterations_per_epoch": 1, "batch_size": 2}
    study["steps"]["pretrain"]["flags"] |= short
    flags = study["steps"]["fine_tune"]["flags"]
    del flags["label_fraction"]
    flags |= {"epochs": 12, "val_interval": 12, "train::trainer::epoch_length": 2}
    flags |= {"lr_scheduler::t_total": 24, "lr_scheduler::warmup_steps": 2}
    return study


def start(config: str, out: Path, phantoms: Path) -> subprocess.Popen:
    inputs = ["--corpus_dir", phantoms / "corpus", "--dataset_dir", phantoms / "btcv"]
    inputs += ["--test_dir", phantoms / "btcv"]
    return subprocess.Popen(
        [sys.executable, ROOT / "tools/study", "run", config, "--output_dir", out, *inputs],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_study_stopped_in_a_training_goes_on_and_ends_with_a_figure(tmp_path, phantoms):
    config, out = write_json(tmp_path / "small.json", small_study()), tmp_path / "out"
    first = start(config, out, phantoms)
    folder = out / "fine_tune/volumes-0_seed-0"
    end = monotonic() + 300
    while not (folder / "run/metrics.csv").exists() and monotonic() < end:
        sleep(0.1)
    first.send_signal(signal.SIGTERM)
    printed, errors = first.communicate(timeout=300)
    assert first.returncode == 128 + signal.SIGTERM, printed + errors
    assert "stopped: 0 of 6 steps are done" in printed
    (state,) = (folder / "run/checkpoints").iterdir()
    assert "asked to stop: saved in" in (folder / "log.txt").read_text()
    assert not (folder / "model.pt").exists()

    second = start(config, out, phantoms)
    printed, errors = second.communicate(timeout=900)
    assert second.returncode == 0, printed + errors
    log = (folder / "log.txt").read_text()
    assert f"goes on from {state}" in log and log.count("this run is kept in") == 2
    assert "training takes 2 of 3 volumes" in (out / "pretrain/volumes-2/log.txt").read_text()
    loaded = (out / "fine_tune/volumes-2_seed-0/log.txt").read_text()
    assert f"from {out}/export_encoder/volumes-2/encoder.pt" in loaded
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["volumes"] for row in rows] == ["0", "2"]
    assert all(0 <= float(row["mean_dice"]) < 0.9 for row in rows) and "spleen" in rows[0]
    assert (out / "figure.png").exists() and "2 of 2 runs" in printed
    names = {path.name for path in out.iterdir()}
    steps = {"pretrain", "export_encoder", "fine_tune", "evaluate"}
    assert names == steps | {"results.csv", "figure.png", ".lock"}
