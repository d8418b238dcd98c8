"""Real `python -m monai.bundle run` commands on phantoms, in a copy of the bundles' folder.

A plugin of the test suite (see conftest.py). Copies prove that a bundle needs nothing beside it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import BUNDLES

from tools import phantom

CORES = 2  # more threads than cores make a run many times slower
THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else CORES  # of a run: others run beside it
OUTPUTS = {"models", "runs", "pretrained", "predictions", "evaluation"}  # folders of a bundle


def python(
    folder: Path, *arguments, check: bool = True, threads: int = THREADS
) -> subprocess.CompletedProcess:
    """`python ARGUMENTS` in a folder; with `check`, failing fails the test and shows the output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    if check and done.returncode:
        pytest.fail(f"{arguments} exits {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}")
    return done


def run(bundle: Path, configs: str, *flags, check: bool = True) -> subprocess.CompletedProcess:
    """`python -m monai.bundle run` in a bundle's folder.

    Args:
        bundle: its folder.
        configs: names of config files without ending, separated by spaces.
        flags: what follows `--config_file` on the command line.
        check: fail the test when the command fails.
    """
    return python(bundle, *run_arguments(configs), *flags, check=check)


def torchrun(bundle: Path, configs: str, *flags) -> subprocess.CompletedProcess:
    """The same by two processes, on a CPU by gloo."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return python(bundle, *launcher, *run_arguments(configs), *flags, threads=1)


def run_arguments(configs: str) -> list[str]:
    """Of `python`, for `monai.bundle run` with these config files."""
    files = str([f"configs/{name}.json" for name in configs.split()])
    return ["-m", "monai.bundle", "run", "--config_file", files]


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def copy_bundle(name: str, folder: Path) -> Path:
    """A copy of one bundle, without what runs have left in it."""
    source = BUNDLES / name

    def ignored(parent: str, names: list[str]) -> set[str]:
        outputs = OUTPUTS if Path(parent) == source else set()  # not scripts/common/evaluation
        return {*names} & {*outputs, "__pycache__"}

    return Path(shutil.copytree(source, folder / name, ignore=ignored))


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """`corpus`, `btcv`, `Task09_Spleen` and `Task01_BrainTumour`, small, in one folder."""
    folder = tmp_path_factory.mktemp("phantoms")
    phantom.corpus(str(folder / "corpus"), count=4, spacing_mm=6.0)
    phantom.btcv(str(folder / "btcv"), count=5, spacing_mm=6.0)
    for task in ("Task09_Spleen", "Task01_BrainTumour"):
        phantom.msd(str(folder), task=task, count=5, test_count=1, spacing_mm=6.0)
    return folder


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory, phantoms) -> Path:
    """A `pretrain_ssl` folder after two steps and the export of the encoder."""
    bundle = copy_bundle("pretrain_ssl", tmp_path_factory.mktemp("pretrained"))
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 2]
    run(bundle, "train demo", "--dataset_dir", phantoms / "corpus", *flags)
    run(bundle, "export_encoder")
    return bundle


@pytest.fixture(scope="session")
def finetuned(tmp_path_factory, phantoms, pretrained) -> tuple[Path, str]:
    """A `btcv_segmentation` folder after two steps from that encoder, and what the run printed."""
    bundle = copy_bundle("btcv_segmentation", tmp_path_factory.mktemp("finetuned"))
    flags = ["--epochs", 1, "--val_interval", 1, "--pretrained", pretrained / "models/encoder.pt"]
    done = run(bundle, "train demo", "--dataset_dir", phantoms / "btcv", *flags)
    return bundle, done.stdout
