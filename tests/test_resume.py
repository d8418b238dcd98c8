"""Runs that are killed, stopped and started again, as a user meets them.

What is killed is a real command; what goes on after it, or is left in peace, is `run_here`.
"""

import csv
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from bundle_runs import (
    THREADS,
    copy_bundle,
    last_line,
    run_arguments,
    run_here,
    torchrun,
)
from helpers import BUNDLES

SMALL = {
    "pretrain_ssl": ["--iterations", 12, "--iterations_per_epoch", 4, "--batch_size", 2],
    "btcv_segmentation": ["--epochs", 4, "--val_interval", 2, "--batch_size", 1],
}
# Without it PyTorch's workers find the addresses of those before the restart (pytorch#135712).
OWN_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
DATA = {"pretrain_ssl": "corpus", "btcv_segmentation": "btcv"}
# Killed runs keep volumes on disk, the uninterrupted one in memory: both must draw the same crops.
ON_DISK = {"pretrain_ssl": [], "btcv_segmentation": ["--cache_gb", 1e-9]}


def flags(name: str, phantoms: Path) -> list:
    extra = ["--checkpoint_interval", 1, "--run_name", "run", "--num_workers", 0]
    return ["--dataset_dir", phantoms / DATA[name], *SMALL[name], *extra]


def start(bundle: Path, *arguments, own_group: bool = False, **environment) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=bundle,
        env=os.environ | {"OMP_NUM_THREADS": str(THREADS)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=own_group,
    )


def last_iteration(bundle: Path) -> int:
    numbers = (bundle / "runs/run/checkpoints").glob("iteration_*.pt")
    return max((int(path.stem.split("_")[1]) for path in numbers), default=0)


def wait_for(bundle: Path, iteration: int, process: subprocess.Popen) -> None:
    """Until a state of this iteration or a later one is there."""
    for _ in range(3000):
        if last_iteration(bundle) >= iteration or process.poll() is not None:
            return
        time.sleep(0.05)
    pytest.fail(f"no state of iteration {iteration} after 150 s")


def final(bundle: Path) -> tuple[dict, dict, str]:
    """Final weights, deployed weights, and the curves."""
    state = bundle / f"runs/run/checkpoints/iteration_{last_iteration(bundle)}.pt"
    network = torch.load(state, weights_only=True)["network"]
    model = torch.load(bundle / "models/model.pt", weights_only=True)
    return network, model, (bundle / "runs/run/metrics.csv").read_text()


def losses(path: Path) -> dict[str, float]:
    """`iteration name` and value of the curves that are losses."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {" ".join(row[:2]): float(row[2]) for row in rows if row[1].endswith("loss")}


def assert_equal(found: tuple, expected: tuple) -> None:
    for mine, other in zip(found[:2], expected[:2]):
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert found[2] == expected[2]


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory, phantoms):
    """`uninterrupted(name)` is what that bundle's small training ends with."""
    found = {}

    def trained(name: str) -> tuple:
        if name not in found:
            bundle = copy_bundle(name, tmp_path_factory.mktemp(f"uninterrupted_{name}"))
            run_here(bundle, "train demo", *flags(name, phantoms))
            found[name] = final(bundle)
        return found[name]

    return trained


def killed_at_seeded_moments(bundle: Path, name: str, phantoms: Path, kills: int) -> None:
    """Train to the end, killed on the way after random iterations and fractions of a second."""
    rng, arguments = random.Random(kills), [*flags(name, phantoms), *ON_DISK[name]]
    for _ in range(kills):
        process = start(bundle, *run_arguments("train demo"), *arguments)
        wait_for(bundle, last_iteration(bundle) + 1, process)
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        process.communicate()
    run_here(bundle, "train demo", *arguments)
    assert (bundle / "cache").exists() == bool(ON_DISK[name])


@pytest.mark.parametrize(("name", "kills"), [("pretrain_ssl", 2), ("btcv_segmentation", 1)])
def test_a_killed_run_ends_bit_for_bit_as_an_uninterrupted_one(
    name, kills, phantoms, uninterrupted, tmp_path
):
    bundle = copy_bundle(name, tmp_path)
    killed_at_seeded_moments(bundle, name, phantoms, kills)
    assert_equal(final(bundle), uninterrupted(name))


@pytest.mark.slow
def test_a_run_killed_ten_times_ends_bit_for_bit_as_an_uninterrupted_one(phantoms, tmp_path):
    long = ["--iterations", 40, "--iterations_per_epoch", 8]
    whole, bundle = (copy_bundle("pretrain_ssl", tmp_path / part) for part in ("whole", "killed"))
    given = [*flags("pretrain_ssl", phantoms), *long]
    run_here(whole, "train demo", *given)
    rng, kills = random.Random(10), 0
    while kills < 10:
        process = start(bundle, *run_arguments("train demo"), *given)
        wait_for(bundle, last_iteration(bundle) + rng.randint(1, 3), process)
        time.sleep(rng.uniform(0, 0.5))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    run_here(bundle, "train demo", *given)
    assert_equal(final(bundle), final(whole))


def test_sigterm_to_the_whole_group_saves_and_the_run_goes_on(phantoms, uninterrupted, tmp_path):
    bundle, name = copy_bundle("pretrain_ssl", tmp_path), "pretrain_ssl"
    given = [*flags(name, phantoms), "--checkpoint_interval", 500, "--num_workers", 1]
    given += ["--val_interval", 3]
    process = start(bundle, *run_arguments("train demo"), *given, own_group=True)
    while not (bundle / "runs/run/tensorboard").exists():  # is made when the training starts
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 143, output[-3000:]
    assert "asked to stop: saved in" in output
    stopped_at = last_iteration(bundle)
    assert 0 < stopped_at < 12
    done = run_here(bundle, "train demo", *given)
    assert f"goes on from runs/run/checkpoints/iteration_{stopped_at}.pt" in done.stdout
    network, _, _ = final(bundle)
    expected = uninterrupted(name)[0]
    assert all(torch.equal(network[key], expected[key]) for key in expected)


def test_finished_runs_say_so_and_what_cannot_go_on_is_refused(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    given = ["--dataset_dir", phantoms / "corpus", "--iterations", 1, "--batch_size", 2]
    run_here(bundle, "train demo", *given)
    before = {path: path.read_bytes() for path in bundle.rglob("*.pt")}
    assert "runs/demo is finished" in run_here(bundle, "train demo", *given).stdout
    done = run_here(bundle, "train demo", *given, "--learning_rate", 0.5, check=False)
    assert done.returncode
    assert "learning_rate was 0.001, is 0.5" in last_line(done.stderr)
    assert {path: path.read_bytes() for path in bundle.rglob("*.pt")} == before
    state = bundle / "runs/demo/checkpoints/iteration_1.pt"
    state.write_bytes(state.read_bytes()[:5000])
    done = run_here(bundle, "train demo", *given, check=False)
    assert done.returncode
    assert "iteration_1.pt cannot be read, it may have been cut short" in last_line(done.stderr)
    run_here(bundle, "train demo", *given, "--learning_rate", 0.5, "--resume", "never")
    assert (bundle / "runs/demo-2/metrics.csv").is_file()


def documented_launchers() -> list[str]:
    """torchrun's own words in the commands of the pre-training's page that restart, on one node."""
    page = (BUNDLES / "pretrain_ssl/docs/training.md").read_text()
    pattern = rf"^{'='.join(*OWN_STORE.items())} torchrun (.*--max-restarts.*?) -m monai"
    return re.findall(pattern, page, re.M)


def test_documented_restarts_name_no_rendezvous_that_cannot_restart():
    assert len(documented_launchers()) == 2
    assert all("--master" not in words for words in documented_launchers())


@pytest.mark.slow  # fast: what a restart means (test_run_folder), two that go on (test_btcv_runs)
@pytest.mark.parametrize("words", [*documented_launchers(), "--standalone --max-restarts=3"])
def test_torchrun_starts_a_killed_rank_again(phantoms, tmp_path, words):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    configs, given = "train demo multi_gpu_train", flags("pretrain_ssl", phantoms)
    launcher = ["-m", "torch.distributed.run", *words.split(), "--nproc_per_node=2"]
    arguments = [*launcher, *run_arguments(configs), *given]
    process = start(bundle, *arguments, **OWN_STORE, OMP_NUM_THREADS="1")
    wait_for(bundle, 2, process)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output[-3000:]
    assert "goes on from runs/run/checkpoints/iteration_" in output
    assert last_iteration(bundle) == 12


def test_two_processes_give_the_curve_of_one_with_the_doubled_batch(phantoms, tmp_path):
    """With a batch of three each, crops that fill another's boxes come from the other process."""
    one, two = (copy_bundle("pretrain_ssl", tmp_path / name) for name in ("one", "two"))
    given = ["--dataset_dir", phantoms / "corpus", "--iterations", 4, "--iterations_per_epoch", 2]
    given += ["--log_interval", 1, "--warmup_iterations", 1]
    run_here(one, "train demo", *given, "--batch_size", 6)
    torchrun(two, "train demo multi_gpu_train", *given, "--batch_size", 3, "--chunk_size", 2)
    curves = [losses(bundle / "runs/demo/metrics.csv") for bundle in (one, two)]
    assert len(curves[0]) == 4 * 4 + 2 * 4  # four losses: of every iteration, of two validations
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
