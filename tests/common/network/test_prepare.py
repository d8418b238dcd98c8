"""A prepared network computes what it did before, by the same weights."""

import torch
from monai.networks.nets import SwinUNETR
from torch import nn

from common.network.prepare import prepare_network


def test_a_prepared_network_has_the_same_weights_and_outputs():
    network = SwinUNETR(1, 2, feature_size=12, depths=(1, 1, 1, 1)).eval()
    image = torch.rand(1, 1, 64, 32, 32)
    names = list(network.state_dict())
    with torch.no_grad():
        expected = network(image)
        for options in ({}, {"channels_last": True}, {"fast_attention": False}):
            prepared = prepare_network(network, "cpu", **options)
            assert prepared is network
            torch.testing.assert_close(prepared(image), expected, rtol=1e-4, atol=1e-5)
    assert list(network.state_dict()) == names


def test_compiling_keeps_the_names_of_the_weights(monkeypatch):
    calls = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: calls.append(options))
    network = nn.Linear(2, 2)
    prepared = prepare_network(network, "cpu", compile=True)
    assert list(prepared.state_dict()) == ["weight", "bias"]
    assert calls == [{"dynamic": False}]
