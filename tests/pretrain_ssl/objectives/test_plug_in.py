"""An objective is one module and one overlay: two toys that come without another file."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from bundle_runs import OUTPUTS, THREADS, copy_bundle, run_arguments, run_here
from helpers import forget_scripts, write_json
from monai.bundle import ConfigWorkflow
from monai.networks.nets import SwinUNETR
from objective_runs import SHORT, assert_equal, check_resumes_exactly, final
from toy_objectives import CROP_MEAN, CROP_MEAN_OVERLAY, MOMENTUM, MOMENTUM_OVERLAY

from common.weights.pretrained import load_pretrained


def plugged_in(folder: Path, name: str, module: str, overlay: dict) -> tuple[Path, dict[str, str]]:
    """A copy of the bundle with the two files of an objective, and `contents` before them."""
    bundle = copy_bundle("pretrain_ssl", folder)
    before = contents(bundle)
    (bundle / f"scripts/objectives/{name}.py").write_text(module)
    write_json(bundle / f"configs/objectives/{name}.json", overlay)
    return bundle, before


def contents(bundle: Path) -> dict[str, str]:
    """Hashes of a bundle's files by path; what runs leave in it does not count."""
    paths = [path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()]
    kept = [path for path in paths if path.parts[0] not in OUTPUTS and path.suffix != ".pyc"]
    return {str(path): hashlib.sha256((bundle / path).read_bytes()).hexdigest() for path in kept}


def assert_only_two_files_differ(bundle: Path, name: str, before: dict[str, str]) -> None:
    added = {f"scripts/objectives/{name}.py", f"configs/objectives/{name}.json"}
    after = contents(bundle)
    assert {path for path in after if after[path] != before.get(path)} == added
    assert set(before) <= set(after)


def names_of_curves(bundle: Path) -> set[str]:
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        return {row["name"] for row in csv.DictReader(file)}


@pytest.fixture
def in_process(monkeypatch, phantoms):
    """`in_process(bundle, configs)` does what `python -m monai.bundle run` would."""

    def workflow(bundle: Path, configs: str) -> None:
        forget_scripts()
        monkeypatch.syspath_prepend(str(bundle))
        files = [str(bundle / f"configs/{name}.json") for name in configs.split()]
        data = {} if "export" in configs else {"dataset_dir": str(phantoms / "corpus")}
        made = ConfigWorkflow(files, logging_file=False, bundle_root=str(bundle), **data)
        made.initialize()
        made.run()
        made.finalize()

    return workflow


def test_a_module_and_an_overlay_train_resume_evaluate_infer_and_export(
    phantoms, tmp_path, in_process, capsys
):
    bundle, before = plugged_in(tmp_path, "crop_mean", CROP_MEAN, CROP_MEAN_OVERLAY)
    command = ["train objectives/crop_mean demo", "--dataset_dir", phantoms / "corpus", *SHORT]
    check_resumes_exactly(bundle, *command, iteration=2)
    for part in ("train", "validation"):
        assert {f"{part}/{name}" for name in ("loss", "mean_loss", "error")} <= names_of_curves(
            bundle
        )

    in_process(bundle, "train objectives/crop_mean demo evaluate")
    metrics = json.loads((bundle / "evaluation/metrics.json").read_text())
    assert set(metrics) == {"loss", "mean_loss", "error", "chance"}
    assert set(metrics["chance"]) == {"error"} and metrics["error"] == pytest.approx(
        metrics["loss"], rel=1e-5
    )
    assert f"(chance {metrics['chance']['error']:.4f})" in capsys.readouterr().out
    in_process(bundle, "inference objectives/crop_mean demo")
    assert [path.name for path in (bundle / "predictions").iterdir()] == ["embeddings.csv"]
    assert (bundle / "predictions/embeddings.csv").read_text().count("\n") == 5
    in_process(bundle, "export_encoder objectives/crop_mean")
    check_encoder(bundle)
    assert_only_two_files_differ(bundle, "crop_mean", before)


def check_encoder(bundle: Path) -> None:
    """Every tensor of the exported encoder is in a SwinUNETR that starts from it."""
    network = SwinUNETR(1, 14, feature_size=12, depths=(1, 1, 1, 1), window_size=4)
    load_pretrained(network, str(bundle / "models/encoder.pt"))
    trained = torch.load(bundle / "models/model.pt", weights_only=True)
    own = {name: v for name, v in network.state_dict().items() if name.startswith("swinViT.")}
    assert len(own) == 70 and all(torch.equal(own[name], trained[name]) for name in own)


def test_a_momentum_teacher_of_two_crops_an_item_resumes_exactly(phantoms, tmp_path):
    (whole, _), (killed, before) = (
        plugged_in(tmp_path / part, "momentum", MOMENTUM, MOMENTUM_OVERLAY)
        for part in ("whole", "killed")
    )
    command = ["train objectives/momentum demo", "--dataset_dir", phantoms / "corpus", *SHORT]
    run_here(whole, *command)
    kill_after(killed, 1, command)
    done = run_here(killed, *command)
    assert "goes on from runs/demo/checkpoints/iteration_" in done.stdout
    assert_equal(final(killed), final(whole))
    teacher = {name for name in final(whole)[0] if name.startswith("/0/teacher/copy.swinViT.")}
    assert len(teacher) == 70
    assert "validation/top1" in names_of_curves(whole)
    assert_only_two_files_differ(killed, "momentum", before)


def kill_after(bundle: Path, iteration: int, command: list) -> None:
    """Start a training and kill it as soon as it has saved a state of this iteration."""
    state = bundle / f"runs/demo/checkpoints/iteration_{iteration}.pt"
    configs, *flags = command
    process = subprocess.Popen(
        [sys.executable, *run_arguments(configs), *map(str, flags)],
        cwd=bundle,
        env=os.environ | {"OMP_NUM_THREADS": str(THREADS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(3000):
        if state.exists() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert state.exists() and not (bundle / "runs/demo/checkpoints/iteration_4.pt").exists()
