"""Exported networks: the note in the file, and files that do not fit, with a tiny network."""

import logging

import pytest
import torch
from torch import nn

from common.errors import InputError
from common.inference import EnsembleInferer, NetworkToExport, OnnxNetwork, TorchScriptNetwork
from common.weights import attach_metadata

NOTE = {"spacing_mm": [1.5, 1.5, 2.0], "intensity": [], "task": "Liver"}
SIZE = (8, 8, 4)


@pytest.fixture
def file(tmp_path) -> str:
    """What `ckpt_export` writes of a network from one channel to three classes."""
    trained = nn.Conv3d(1, 3, 3, padding=1)
    attach_metadata(trained, NOTE)
    to_export = NetworkToExport(nn.Conv3d(1, 3, 3, padding=1), 1, 3, SIZE).eval()
    to_export.load_state_dict(trained.state_dict())
    assert torch.equal(to_export.network.weight, trained.weight)
    assert to_export.state_dict().keys() == trained.state_dict().keys()
    path = str(tmp_path / "model.ts")
    torch.jit.save(torch.jit.trace(to_export, torch.rand(1, 1, *SIZE)), path)
    return path


def network(channels: int = 1, classes: int = 3, size=SIZE) -> TorchScriptNetwork:
    return TorchScriptNetwork(channels, classes, size, "cpu")


def test_the_note_travels_and_is_compared(file, caplog):
    loaded = network()
    with caplog.at_level(logging.INFO):
        loaded.load(file, NOTE)
    assert "(trained with this spacing and intensity range)" in caplog.text
    assert loaded(torch.rand(2, 1, *SIZE)).shape == (2, 3, *SIZE)
    with pytest.raises(InputError, match="was trained with spacing 1.5 x 1.5 x 2 mm, here 1 x 1 x"):
        network().load(file, NOTE | {"spacing_mm": [1.0, 1.0, 1.0]})
    with pytest.raises(InputError, match="was trained for Liver, and this run is for Heart"):
        network().load(file, NOTE | {"task": "Heart"})


def test_the_file_itself_refuses_another_size(file):
    for shape in [(1, 1, 16, 8, 4), (1, 1, 4, 8, 8), (1, 1, 8, 8, 2), (1, 2, 8, 8, 4)]:
        with pytest.raises(RuntimeError, match="must match|channels"):
            torch.jit.load(file)(torch.rand(shape))


@pytest.mark.parametrize(
    ("channels", "classes", "words"),
    [
        (2, 3, "1 channels to 3 classes, here 2 to 3"),
        (1, 5, "1 channels to 3 classes, here 1 to 5"),
    ],
)
def test_a_network_of_other_channels_is_refused(file, channels, classes, words):
    with pytest.raises(InputError, match=f"is of another network: {words}"):
        network(channels, classes).load(file)


def test_a_plain_trace_runs_with_a_warning(tmp_path, caplog):
    path = str(tmp_path / "plain.ts")
    plain = nn.Conv3d(1, 3, 3, padding=1)
    torch.jit.save(torch.jit.trace(plain, torch.rand(1, 1, *SIZE)), path)
    loaded, image = network(), torch.rand(1, 1, *SIZE)
    with caplog.at_level(logging.INFO):
        loaded.load(path, NOTE)
    assert torch.equal(loaded(image), plain(image))
    assert "does not tell its patch size" in caplog.text
    assert "carries no spacing or intensity range" in caplog.text
    with pytest.raises(InputError, match="does not run on 2 channels of"):
        network(2).load(path)


def test_several_files_are_refused(file):
    with pytest.raises(InputError, match="names 2 exported networks, and a run takes one"):
        EnsembleInferer(inferer=None).load(network(), [file, file])


def test_what_is_not_loaded_or_no_onnx_is_refused(file):
    with pytest.raises(InputError, match="no exported network is loaded"):
        network()(torch.rand(1, 1, *SIZE))
    with pytest.raises(InputError, match="is no ONNX network, or it is damaged"):
        OnnxNetwork(1, 3, SIZE, "cpu").load(file)
