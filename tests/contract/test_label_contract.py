"""What MONAI Label reads from a bundle and overrides; `make test-label` asks a real server."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, process_state_restored
from helpers import BUNDLES
from monai.bundle import ConfigParser, run

NAMES = ("btcv_segmentation", "msd_tasks")
OVERRIDDEN = (  # by its training task
    *("bundle_root", "device", "train::trainer::max_epochs", "train::dataset::data"),
    *("train::handlers", "validate::dataset::data"),
)


def parser(name: str, config: str) -> ConfigParser:
    parsed = ConfigParser()
    parsed.read_config(BUNDLES / name / f"configs/{config}.json")
    return parsed


@pytest.mark.parametrize("name", NAMES)
def test_the_server_finds_what_it_reads(name):
    inference, train = parser(name, "inference"), parser(name, "train")
    for key in ("network_def", "preprocessing", "postprocessing", "inferer", "device"):
        assert inference.get(key) is not None
    for key in (*OVERRIDDEN, "network", "train", "validate", "run"):
        assert train.get(key) is not None
    formats = json.loads((BUNDLES / name / "configs/metadata.json").read_text())
    formats = formats["network_data_format"]
    assert next(iter(formats["inputs"])) == "image" and next(iter(formats["outputs"])) == "pred"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("epochs", "warmup", "interval"),
    [(1, 0, 1), (2, 0, 1), (50, 5, 5), (500, 50, 50), (5000, 50, 100)],
)
def test_the_schedule_follows_the_trainers_epochs(name, epochs, warmup, interval):
    train = parser(name, "train")
    train.set(epochs, "train::trainer::max_epochs")
    assert train.get_parsed_content("warmup_epochs") == warmup
    assert train.get_parsed_content("val_interval") == interval
    schedule = json.dumps(train.get("lr_scheduler"))
    assert "@train::trainer::max_epochs" in schedule and "@epochs" not in schedule


@pytest.mark.parametrize("name", NAMES)
def test_a_device_by_name_serves(name):
    inference = parser(name, "inference")
    inference.set("cpu", "device")  # the server gives a text
    assert inference.get_parsed_content("sw_batch_size") == 1
    assert not inference.get_parsed_content("amp")


def train_as_the_server(bundle: Path, pairs: list[dict], **overrides) -> tuple[str, str]:
    """One epoch as MONAI Label's process for a training runs it; what it prints, and its end."""
    stdout, stderr = io.StringIO(), io.StringIO()
    configs = [str(bundle / f"configs/{name}.json") for name in ("train", "demo")]
    with process_state_restored(), redirect_stdout(stdout), redirect_stderr(stderr):
        sys.path.insert(0, str(bundle))
        sys.argv = ["/x/monailabel/interfaces/utils/app.py", "-m", "train"]
        sys.excepthook = sys.__excepthook__
        try:
            run(
                run_id="run",
                config_file=configs,
                logging_file=str(bundle / "configs/logging.conf"),
                bundle_root=str(bundle),
                device=torch.device("cpu"),
                **{"train::trainer::max_epochs": 1, "train::dataset::data": pairs},
                **overrides,
            )
        except RuntimeError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def served(tmp_path, phantoms) -> tuple[Path, list[dict]]:
    """A bundle's copy, and two labelled images."""
    folder = phantoms / "btcv/RawData/Training"
    images, labels = (sorted((folder / kind).glob("*.nii.gz"))[:2] for kind in ("img", "label"))
    pairs = [{"image": str(i), "label": str(t)} for i, t in zip(images, labels)]
    return copy_bundle("btcv_segmentation", tmp_path), pairs


def test_without_images_to_validate_on_the_final_weights_are_deployed_and_the_log_says_so(served):
    bundle, pairs = served
    stdout, _ = train_as_the_server(bundle, pairs, **{"validate::dataset::data": []})
    assert "no validation has given a metric: the final weights are saved as the best" in stdout
    assert (bundle / "models/model.pt").is_file()


def test_a_refused_label_ends_the_training_in_its_sentence(served, tmp_path):
    bundle, pairs = served
    label = nib.load(pairs[0]["label"])
    wrong = np.asarray(label.dataobj).copy()
    wrong[:5, :5, :5] = 77
    pairs[0]["label"] = str(tmp_path / "wrong.nii.gz")
    nib.save(nib.Nifti1Image(wrong, label.affine), pairs[0]["label"])
    _, stderr = train_as_the_server(bundle, pairs, **{"validate::dataset::data": pairs[1:]})
    assert "Traceback" not in stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: {pairs[0]['label']}") and "77" in last
    assert not (bundle / "models/model.pt").exists()
