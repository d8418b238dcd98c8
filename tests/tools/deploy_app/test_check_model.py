import os
import shutil

import pytest
import torch
from helpers import BUNDLES
from monai.data import save_net_with_metadata

from tools.deploy_app.check_model import read_metadata


@pytest.fixture
def bundle(tmp_path):
    """A bundle's folder with its metadata and an empty file of weights."""
    folder = tmp_path / "bundle"
    (folder / "models").mkdir(parents=True)
    shutil.copytree(BUNDLES / "btcv_segmentation/configs", folder / "configs")
    (folder / "models/model.pt").touch()
    return folder


def exported(path, metadata: dict) -> str:
    """A TorchScript file of the smallest network."""
    network = torch.jit.script(torch.nn.Identity())
    save_net_with_metadata(network, str(path), meta_values=metadata)
    return path


def test_metadata_of_a_bundle_and_of_its_export_is_read(bundle, tmp_path, monkeypatch):
    metadata = read_metadata(bundle)
    labels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert labels["1"] == "spleen" and len(labels) == 14
    monkeypatch.syspath_prepend(BUNDLES / "btcv_segmentation")
    assert read_metadata(exported(tmp_path / "model.ts", metadata))["name"] == metadata["name"]


def test_an_export_without_its_bundle_is_refused(bundle, tmp_path, refusal, monkeypatch):
    monkeypatch.setattr("tools.deploy_app.check_model.find_spec", lambda name: None)
    path = exported(tmp_path / "model.ts", read_metadata(bundle))
    with refusal("model.ts names the bundle's own transforms; set PYTHONPATH"):
        read_metadata(path)


def test_what_is_no_bundle_is_refused(bundle, tmp_path, refusal):
    with refusal("absent does not exist; give -m"):
        read_metadata(tmp_path / "absent")
    with refusal("is no bundle: it has no configs/metadata.json; give -m"):
        read_metadata(tmp_path)
    torch.save({"weight": torch.zeros(1)}, bundle / "models/model.pt")
    with refusal("model.pt is no TorchScript file; export one"):
        read_metadata(bundle / "models/model.pt")
    (bundle / "configs/metadata.json").write_text("{")
    with refusal("metadata.json is no JSON"):
        read_metadata(bundle)


def test_missing_weights_are_named(bundle, refusal):
    (bundle / "models/model.pt").unlink()
    with refusal("models/model.pt is missing; train the bundle, or put its weights there"):
        read_metadata(bundle)


def test_a_bundle_without_labels_is_refused(bundle, refusal):
    shutil.copy(BUNDLES / "pretrain_ssl/configs/metadata.json", bundle / "configs/metadata.json")
    (bundle / "models/model.pt").unlink()  # the labels come first: weights would not help
    with refusal("bundle names no labels; give -m a segmentation bundle"):
        read_metadata(bundle)


def test_an_export_older_than_the_weights_is_refused(bundle, refusal, caplog):
    old = bundle / "models/model.ts"
    old.touch()
    os.utime(old, (0, 0))
    with refusal("model.ts, which the SDK takes before model.pt, is older than model.pt"):
        read_metadata(bundle)
    (bundle / "models/model.pt").unlink()
    read_metadata(bundle)
    assert "model.ts is served" in caplog.text
