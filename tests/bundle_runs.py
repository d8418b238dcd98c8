"""Commands of the bundles on phantoms, in a copy of the bundles' folder.

A plugin of the test suite (see conftest.py). Copies prove that a bundle needs nothing beside it.
`run` and `python` start a new Python, which takes 6 to 12 s; `run_here` and `python_here` go
through the same door, with the same command line, in the process of the tests.
"""

import contextlib
import ctypes
import gc
import io
import json
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import monai
import numpy as np
import pytest
import torch
from helpers import BUNDLES, forget_scripts, loggers_restored

from tools import phantom

THREADS = 1  # of a run, as in the tests' own process: the same numbers to the last bit
OUTPUTS = {"models", "runs", "pretrained", "predictions", "evaluation", "cache"}  # of a bundle


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
    return checked(done) if check else done


def checked(done: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    if done.returncode:
        pytest.fail(f"{done.args} exits {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}")
    return done


def run(
    bundle: Path, configs: str, *flags, check: bool = True, threads: int = THREADS
) -> subprocess.CompletedProcess:
    """`python -m monai.bundle run` in a bundle's folder.

    Args:
        bundle: its folder.
        configs: names of config files without ending, separated by spaces.
        flags: what follows `--config_file` on the command line.
        check: fail the test when the command fails.
        threads: of PyTorch.
    """
    return python(bundle, *run_arguments(configs), *flags, check=check, threads=threads)


def run_here(bundle: Path, configs: str, *flags, check: bool = True) -> subprocess.CompletedProcess:
    """The same as `run`, in this process."""
    return python_here(bundle, *run_arguments(configs), *flags, check=check)


def python_here(folder: Path, *arguments, check: bool = True) -> subprocess.CompletedProcess:
    """`python -m MODULE ARGUMENTS` in a folder, in this process, which is left as it was.

    Args:
        folder: the working directory, first in `sys.path`.
        arguments: of Python, `-m` first.
        check: fail the test when the command fails.

    Returns:
        What a process of its own would have printed, and its exit status.
    """
    option, module, *words = map(str, arguments)
    assert option == "-m"
    stdout, stderr = io.StringIO(), io.StringIO()
    with process_state_restored(), contextlib.chdir(folder):
        sys.argv = [module, *words]  # runpy sets the first to the module's file, as `-m` does
        sys.path.insert(0, str(folder))
        sys.excepthook = sys.__excepthook__
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = status_of(module)
    gc.collect()  # locks on run folders, open files
    done = subprocess.CompletedProcess(
        [*map(str, arguments)], status, stdout.getvalue(), stderr.getvalue()
    )
    return checked(done) if check else done


def status_of(module: str) -> int:
    """Run a module as `__main__`; what ends it is shown as Python shows it, by `sys.excepthook`."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


@contextlib.contextmanager
def process_state_restored() -> Iterator[None]:
    """Undo what a command changes in its process; it finds none of the tests' own `scripts`."""
    argv, path, hook = sys.argv, sys.path.copy(), sys.excepthook
    own_scripts = {name: sys.modules[name] for name in sys.modules if is_script(name)}
    forget_scripts()
    sigterm = signal.getsignal(signal.SIGTERM)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    seed = monai.utils.misc._seed
    try:
        with loggers_restored(), warnings.catch_warnings():
            warnings.resetwarnings()
            for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
                warnings.simplefilter("ignore", kind)
            warnings.showwarning = show_warning  # pytest would keep it for its summary
            yield
    finally:
        sys.argv, sys.path[:], sys.excepthook = argv, path, hook
        forget_scripts()
        sys.modules.update(own_scripts)
        signal.signal(signal.SIGTERM, sigterm)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        monai.utils.misc._seed = seed
        give_memory_back()


def is_script(name: str) -> bool:
    return name.partition(".")[0] == "scripts"


def show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(warnings.formatwarning(message, category, filename, lineno, line), file=sys.stderr)


def give_memory_back() -> None:
    """Undo `keep_freed_memory` with glibc's defaults."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        for option, value in ((-4, 65536), (-1, 128 * 1024), (-2, 128 * 1024)):
            libc.mallopt(option, value)
        libc.malloc_trim(0)


def torchrun(bundle: Path, configs: str, *flags, check: bool = True) -> subprocess.CompletedProcess:
    """The same by two processes, on a CPU by gloo."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return python(bundle, *launcher, *run_arguments(configs), *flags, check=check, threads=1)


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


SMALL = {"spacing_mm": [6.0, 6.0, 6.0], "patch_size": [64, 64, 32]}
SMALL_NETWORK = {"feature_size": 12, "depths": [1, 1, 1, 1], "window_size": [4, 4, 4]}
SEEDED_WEIGHTS = """
import sys, torch
from monai.bundle import ConfigParser
sys.path.insert(0, ".")
parser = ConfigParser()
parser.read_config("configs/inference.json")
torch.manual_seed(7)
torch.save(parser.get_parsed_content("network_def").state_dict(), "models/model.pt")
"""


def make_small(bundle: Path, **train) -> Path:
    """Gives a copied segmentation bundle the demo's network and seeded weights, without overlay.

    A server reads a bundle's own inference.json and train.json alone.

    Args:
        bundle: its folder, changed; returned.
        train: further knobs of train.json.
    """
    for name, knobs in (("inference", {"merging": "current"}), ("train", train)):
        path = bundle / f"configs/{name}.json"
        config = json.loads(path.read_text()) | SMALL | knobs
        config["network_def"] |= SMALL_NETWORK
        path.write_text(json.dumps(config))
    (bundle / "models").mkdir(exist_ok=True)
    python(bundle, "-c", SEEDED_WEIGHTS)
    return bundle


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
    run_here(bundle, "train demo", "--dataset_dir", phantoms / "corpus", *flags)
    run_here(bundle, "export_encoder")
    return bundle


@pytest.fixture(scope="session")
def finetuned(tmp_path_factory, phantoms, pretrained) -> tuple[Path, str]:
    """A `btcv_segmentation` folder after two steps from that encoder, and what the run printed."""
    bundle = copy_bundle("btcv_segmentation", tmp_path_factory.mktemp("finetuned"))
    flags = ["--epochs", 1, "--val_interval", 1, "--pretrained", pretrained / "models/encoder.pt"]
    done = run_here(bundle, "train demo", "--dataset_dir", phantoms / "btcv", *flags)
    return bundle, done.stdout
