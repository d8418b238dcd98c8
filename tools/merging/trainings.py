"""Runs small trainings under both patch mergings, to test the statistic that tells them apart.

    python tools/merging train OUT --corpus CORPUS --btcv BTCV --brain TASK01

It trains what is not finished: fine-tunings and pre-trainings of several sizes and seeds, each
under `current` and `legacy`, with states kept along the way.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common.atomic_write import check_writable
from common.cli.kinds import Count
from common.errors import InputError
from tools import ROOT

BUNDLES = ROOT / "bundles"
KINDS = ("current", "legacy")
BOTH = {"train::handlers::1::n_saved": 100}  # keep every state
FINE = BOTH | {"val_interval": 1000}
PRE = BOTH | {"val_interval": 1000, "iterations_per_epoch": 50}
SMALL = {"batch_size": 1, "checkpoint_interval": 40}


@dataclass(frozen=True)
class Training:
    """Describes one setting; each of its seeds is trained under both mergings.

    Args:
        bundle: in which it runs.
        data: the name of the option that gives its folder.
        configs: names of config files.
        flags: of the command line.
        seeds: of the trainings.
    """

    bundle: str
    data: str
    configs: tuple[str, ...]
    flags: dict
    seeds: tuple[int, ...]


TRAININGS = {
    "fine-tune": Training(
        "btcv_segmentation",
        "btcv",
        ("train", "demo"),
        FINE | {"epochs": 14, "checkpoint_interval": 30},
        (10, 11),
    ),
    "fine-tune, feature size 24": Training(
        "btcv_segmentation",
        "btcv",
        ("train", "demo"),
        FINE | SMALL | {"network_def::feature_size": 24, "learning_rate": 1e-3, "epochs": 5},
        (0,),
    ),
    "fine-tune, depths 2 2 1 1, window 7": Training(
        "btcv_segmentation",
        "btcv",
        ("train", "demo"),
        FINE
        | SMALL
        | {
            "network_def::depths": [2, 2, 1, 1],
            "network_def::window_size": [7, 7, 7],
            "epochs": 4,
        },
        (0,),
    ),
    "fine-tune, MR of 4 channels": Training(
        "msd_tasks",
        "brain",
        ("train", "tasks/Task01_BrainTumour", "demo"),
        FINE | SMALL | {"epochs": 13},
        (0,),
    ),
    "pre-train": Training(
        "pretrain_ssl",
        "corpus",
        ("train", "demo"),
        PRE | {"iterations": 150, "checkpoint_interval": 50},
        (0, 1),
    ),
    "pre-train, feature size 24": Training(
        "pretrain_ssl",
        "corpus",
        ("train", "demo"),
        PRE
        | {
            "network_def::encoder::embed_dim": 24,
            "batch_size": 2,
            "iterations": 100,
            "checkpoint_interval": 50,
        },
        (0,),
    ),
}


@dataclass(frozen=True)
class Job:
    """Describes one training: its setting, seed, merging, and its own folder below `out`."""

    name: str
    seed: int
    merging: str

    def folder(self, out: Path) -> Path:
        plain = self.name.replace(",", "").replace(" ", "-")
        return out / f"{plain}_seed-{self.seed}_{self.merging}"

    def arguments(self, out: Path, data: dict[str, str]) -> list[str]:
        training, folder = TRAININGS[self.name], self.folder(out)
        files = [f"configs/{name}.json" for name in training.configs]
        own = {"output_dir": folder / "run", "model_path": folder / "model.pt"}
        own |= {"dataset_dir": data[training.data], "seed": self.seed, "merging": self.merging}
        words = [f"--{flag}={value}" for flag, value in (training.flags | own).items()]
        return ["-m", "monai.bundle", "run", "--config_file", str(files), *words]


def jobs() -> list[Job]:
    return [
        Job(name, seed, merging)
        for name, training in TRAININGS.items()
        for seed in training.seeds
        for merging in KINDS
    ]


def train(out: str, *, corpus: str, btcv: str, brain: str, workers: Count = 1) -> None:
    """Trains the settings that are not finished.

    Args:
        out: folder of all trainings.
        corpus: unlabelled CTs (`tools/phantom corpus`).
        btcv: labelled CTs (`tools/phantom btcv`).
        brain: Task01_BrainTumour (`tools/phantom msd`).
        workers: trainings at a time, of one thread each by OMP_NUM_THREADS=1.
    """
    folder = Path(out).absolute()
    check_writable(folders=[out])
    data = {
        name: str(Path(path).absolute())
        for name, path in (("corpus", corpus), ("btcv", btcv), ("brain", brain))
    }
    for name, path in data.items():
        if not Path(path).is_dir():
            raise InputError(f"{path} does not exist; give the folder of --{name}.")
    ahead = [job for job in jobs() if not (job.folder(folder) / "model.pt").exists()]
    with ThreadPoolExecutor(workers) as pool:
        statuses = list(pool.map(lambda job: run_job(job, folder, data), ahead))
    failed = [str(job.folder(folder)) for job, status in zip(ahead, statuses) if status]
    if failed:
        raise InputError(f"failed: {', '.join(failed)}; each has its log.txt there.")


def run_job(job: Job, out: Path, data: dict[str, str]) -> int:
    """Runs one training; returns its exit status."""
    folder = job.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        done = subprocess.run(
            [sys.executable, *job.arguments(out, data)],
            cwd=BUNDLES / TRAININGS[job.name].bundle,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    print(f"{folder.name}: {'failed' if done.returncode else 'trained'}", flush=True)
    return done.returncode
