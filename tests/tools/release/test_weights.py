"""The weights of a bundle: its inference takes them, and all files are of one training."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from bundle_runs import copy_bundle
from monai.bundle import ConfigParser
from release_checkout import write_checkout, write_demo

from tools.release.checks import Bundle
from tools.release.demo_bundle import merge, write_demo_bundle
from tools.release.monai_checks import scripts_of
from tools.release.weights import weights_fit


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """The demo's bundle, whose weights are not trained."""
    root = write_checkout(tmp_path_factory.mktemp("demo") / "root", ("Task09_Spleen",))
    return write_demo_bundle(root, write_demo(root))


@pytest.fixture
def demo(original, tmp_path) -> Bundle:
    return Bundle(shutil.copytree(original, tmp_path / original.name))


@pytest.fixture
def pretraining(tmp_path) -> Bundle:
    """pretrain_ssl with the demo's network, its weights and their encoder."""
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    path = bundle / "configs/inference.json"
    overlay = json.loads((bundle / "configs/demo.json").read_text())
    path.write_text(json.dumps(merge(json.loads(path.read_text()), overlay, may_add=False)))
    (bundle / "models").mkdir()
    with scripts_of(bundle), contextlib.chdir(bundle):
        from scripts.export import export_encoder

        parser = ConfigParser()
        parser.read_config("configs/inference.json")
        torch.save(parser.get_parsed_content("network_def").state_dict(), "models/model.pt")
        export_encoder("models/model.pt", "models/encoder.pt")
    return Bundle(bundle)


def change(path: Path) -> None:
    """Changes one number of a file of weights; its note stays."""
    state = torch.load(path, weights_only=True)
    next(tensor for tensor in state.values() if tensor.is_floating_point()).view(-1)[0] += 1
    torch.save(state, path)


def test_weights_that_inference_takes_are_right(demo):
    assert weights_fit(demo) == []


def test_a_bundle_without_weights_is_right(demo):
    (demo.folder / "models/model.pt").unlink()
    assert weights_fit(demo) == []


def test_weights_of_another_task_are_refused(demo):
    path = demo.folder / "configs/inference.json"
    path.write_text(path.read_text().replace('"name": "BTCV"', '"name": "Other"'))
    (fault,) = weights_fit(demo)
    assert "model.pt" in fault and "this run is for Other" in fault


def test_weights_that_lack_a_tensor_are_refused(demo):
    path = demo.folder / "models/model.pt"
    state = torch.load(path, weights_only=True)
    del state["out.conv.conv.bias"]
    torch.save(state, path)
    (fault,) = weights_fit(demo)
    assert "out.conv.conv.bias" in fault


def test_a_cut_file_is_refused(demo):
    path = demo.folder / "models/model.pt"
    path.write_bytes(path.read_bytes()[:1000])
    (fault,) = weights_fit(demo)
    assert "is cut short or damaged" in fault


def test_a_stale_encoder_is_refused(pretraining):
    assert weights_fit(pretraining) == []
    change(pretraining.folder / "models/model.pt")
    assert weights_fit(pretraining) == [
        "models/encoder.pt is not of models/model.pt; export it again"
    ]


def test_an_encoder_alone_is_refused(pretraining, demo):
    (pretraining.folder / "models/model.pt").unlink()
    (demo.folder / "models/encoder.pt").write_text("x")
    for bundle in (pretraining, demo):
        assert weights_fit(bundle) == ["models/encoder.pt is not of this bundle's training"]
