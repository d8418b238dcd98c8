"""What MONAI Label reads from a bundle and overrides; `make test-label` asks a real server."""

import json

import pytest
from helpers import BUNDLES
from monai.bundle import ConfigParser

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
