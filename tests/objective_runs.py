"""Short trainings of an objective: resumed, in two processes, the start of a segmentation."""

import csv
from pathlib import Path

import torch
from bundle_runs import copy_bundle, run_here, torchrun

SHORT = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2, "--num_workers", 0]
SHORT += ["--checkpoint_interval", 1, "--log_interval", 1, "--train::handlers::1::n_saved", 9]


def tensors(state, prefix: str = "") -> dict[str, torch.Tensor]:
    """All tensors of nested dictionaries and lists, by their path."""
    if isinstance(state, torch.Tensor):
        return {prefix: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    parts = [(key, part) for key, part in items if isinstance(part, (dict, list, torch.Tensor))]
    return {k: v for key, part in parts for k, v in tensors(part, f"{prefix}/{key}").items()}


def final(bundle: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Tensors of the last state and of the deployed model, and the curves."""
    paths = ["runs/demo/checkpoints/iteration_4.pt", "models/model.pt"]
    states = [torch.load(bundle / path, weights_only=True) for path in paths]
    states[0].pop("random")
    return tensors(states), (bundle / "runs/demo/metrics.csv").read_text()


def assert_equal(found: tuple, expected: tuple) -> None:
    assert found[0].keys() == expected[0].keys() and found[1] == expected[1]
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])


def leave_only(bundle: Path, iteration: int) -> None:
    """As if a run had been killed after this iteration, an epoch's last before it validated best.

    Later rows of the curves stay, as those of a kill between a state and the next one would.
    """
    for path in (bundle / "runs/demo/checkpoints").glob("*.pt"):
        if path.name != f"iteration_{iteration}.pt":
            path.unlink()
    (bundle / "models/model.pt").unlink()


def check_resumes_exactly(bundle: Path, *command, iteration: int = 1) -> dict[str, torch.Tensor]:
    """A run that goes on from an iteration ends as the uninterrupted one, whose state is returned.

    Args:
        bundle: a copy of `pretrain_ssl` without runs.
        command: configs and flags, `SHORT` among them.
        iteration: the last before the kill.
    """
    run_here(bundle, *command)
    whole = final(bundle)
    leave_only(bundle, iteration)
    done = run_here(bundle, *command)
    assert f"goes on from runs/demo/checkpoints/iteration_{iteration}.pt" in done.stdout
    assert_equal(final(bundle), whole)
    return whole[0]


def check_starts_a_segmentation(tmp_path: Path, phantoms: Path, configs: str, name: str) -> None:
    """Encoder and decoder of an objective start a segmentation: every tensor but the output layer.

    Args:
        tmp_path: for copies of the bundles.
        phantoms: the fixture.
        configs: of the training, without `train` and `demo`.
        name: the objective's.
    """
    source, target = (copy_bundle(n, tmp_path) for n in ("pretrain_ssl", "btcv_segmentation"))
    flags = ["--iterations", 1, "--iterations_per_epoch", 1, "--batch_size", 2]
    run_here(source, f"train {configs} demo", "--dataset_dir", phantoms / "corpus", *flags)
    run_here(source, "export_encoder")
    flags = ["--epochs", 1, "--val_interval", 1, "--learning_rate", 1e-30]
    flags += ["--pretrained", source / "models/network.pt"]
    done = run_here(target, "train demo", "--dataset_dir", phantoms / "btcv", *flags)
    assert "weights: encoder 70 of 70 tensors, decoder 31 of 33 from" in done.stdout
    assert f"objective {name}, crops 64 x 64 x 32, 1 iterations" in done.stdout
    given = torch.load(source / "models/network.pt", weights_only=True)
    trained = torch.load(target / "models/model.pt", weights_only=True)
    assert trained.keys() - given.keys() == {"out.conv.conv.weight", "out.conv.conv.bias"}
    assert all((trained[n].float() - v).abs().max() < 1e-25 for n, v in given.items())


def run_two_processes(bundle: Path, configs: str, corpus: Path, *flags) -> list[dict[str, str]]:
    """Two steps in two processes, to their end; returns the rows of the curves."""
    short = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 1, *flags]
    torchrun(bundle, f"train {configs} demo multi_gpu_train", "--dataset_dir", corpus, *short)
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["iteration"] == "2"
    return rows
