"""The note of weights in an ONNX file."""

import json

import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from weight_layouts import built, saved

from common.errors import InputError
from common.inference import OnnxNetwork
from common.weights import preprocessing_note
from common.weights.onnx_note import add_note, read_onnx_note

NOTE = {"spacing_mm": [1.5, 1.5, 2.0], "intensity": [], "task": "BTCV", "merging": "current"}


@pytest.fixture
def onnx_file(tmp_path) -> str:
    """A network of one operation: its output is its input, one window of 2 channels at a time."""
    edges = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, 4, 4, 4])
        for name in ("image", "scores")
    }
    node = helper.make_node("Identity", ["image"], ["scores"])
    graph = helper.make_graph([node], "network", [edges["image"]], [edges["scores"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    return str(tmp_path / "model.onnx")


@pytest.fixture
def weights(tmp_path) -> str:
    state = preprocessing_note.with_metadata(built("current").state_dict(), NOTE, "current")
    torch.save(state, tmp_path / "model.pt")
    return str(tmp_path / "model.pt")


def test_a_note_is_added_once_and_read(onnx_file, weights):
    for _ in range(2):
        assert "trained with spacing 1.5 x 1.5 x 2 mm" in add_note(onnx_file, weights)
    assert [one.key for one in onnx.load(onnx_file).metadata_props] == ["trained_with"]
    session = onnxruntime.InferenceSession(onnx_file)
    assert read_onnx_note(session) == json.loads(json.dumps(NOTE))


def test_windows_go_one_by_one_where_the_file_takes_one(onnx_file):
    network, image = OnnxNetwork(2, 2, (4, 4, 4), "cpu"), torch.rand(3, 2, 4, 4, 4)
    network.load(onnx_file, NOTE)
    assert torch.equal(network(image), image)
    with pytest.raises(InputError, match=r"runs at patch size \[4, 4, 4\] alone"):
        OnnxNetwork(2, 2, (4, 4, 8), "cpu").load(onnx_file)


def test_a_full_disk_ends_in_a_sentence(onnx_file, weights, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx, "save", fail)
    with pytest.raises(InputError, match="cannot be written .No space left on device.; make room"):
        add_note(onnx_file, weights)


def test_what_cannot_be_noted_is_refused(onnx_file, weights, tmp_path):
    with pytest.raises(InputError, match="is missing or no ONNX file"):
        add_note(weights, weights)
    plain = saved(tmp_path / "plain.pt", dict(built("current").state_dict()))
    with pytest.raises(InputError, match="carries no note of its training"):
        add_note(onnx_file, str(plain))
