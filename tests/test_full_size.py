"""The paper's sizes, two steps, on a CPU of 24 GB: what the README says a machine needs."""

import resource

import pytest
from bundle_runs import copy_bundle, run

from tools import phantom

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full_size")
    phantom.corpus(str(folder / "corpus"), count=2, spacing_mm=3.0)
    phantom.btcv(str(folder / "btcv"), count=5, spacing_mm=3.0)
    phantom.msd(str(folder), task="Task09_Spleen", count=5, test_count=1, spacing_mm=3.0)
    return folder


EPOCH = ["--epochs", 1, "--train::trainer::epoch_length", 2, "--val_interval", 9]
TWO_STEPS = {
    "pretrain_ssl": ("corpus", ["--iterations", 2, "--batch_size", 1]),
    "btcv_segmentation": ("btcv", [*EPOCH, "--crops_per_volume", 1]),
    "msd_tasks": (
        "Task09_Spleen",
        [*EPOCH, "--crops_per_volume", 1],
    ),
}


@pytest.mark.parametrize("name", TWO_STEPS)
def test_full_size_trains_within_24_gb(name, volumes, tmp_path):
    data, flags = TWO_STEPS[name]
    bundle = copy_bundle(name, tmp_path)
    run(bundle, "train", "--dataset_dir", volumes / data, *flags, "--num_workers", 0, threads=2)
    largest_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{name}: largest resident set so far {largest_gb:.1f} GiB")
    assert (bundle / "models/model.pt").is_file() and largest_gb < 24
