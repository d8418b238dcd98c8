"""Allocator, preparation of a network, and gradients between backward and the optimizer's step."""

import subprocess
import sys

import pytest
import torch
from helpers import BUNDLES
from monai.engines import SupervisedTrainer
from monai.networks.nets import SwinUNETR
from torch import nn


@pytest.fixture
def performance(load_scripts):
    return load_scripts("pretrain_ssl").performance


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_not_mapped_anew():
    """Page faults of ten large blocks, in a process of its own."""
    script = """
import resource, sys, torch
from scripts.performance import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(5):  # until the heap has grown
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = [
        int(
            subprocess.run(
                [sys.executable, "-c", script, setting],
                cwd=BUNDLES / "pretrain_ssl",
                env={"OMP_NUM_THREADS": "1", "PATH": ""},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for setting in ("keep", "default")
    ]
    assert faults[0] < faults[1] / 10


def test_a_prepared_network_has_the_same_weights_and_outputs(performance):
    network = SwinUNETR(1, 2, feature_size=12, depths=(1, 1, 1, 1)).eval()
    image = torch.rand(1, 1, 64, 32, 32)
    names = list(network.state_dict())
    with torch.no_grad():
        expected = network(image)
        for options in ({}, {"channels_last": True}, {"fast_attention": False}):
            prepared = performance.prepared(network, "cpu", **options)
            assert prepared is network
            torch.testing.assert_close(prepared(image), expected, rtol=1e-4, atol=1e-5)
    assert list(network.state_dict()) == names


def test_compiling_keeps_the_names_of_the_weights(performance, monkeypatch):
    calls = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: calls.append(options))
    network = nn.Linear(2, 2)
    prepared = performance.prepared(network, "cpu", compiled=True)
    assert list(prepared.state_dict()) == ["weight", "bias"]
    assert calls == [{"dynamic": False}]


def test_precision_follows_the_device(performance, monkeypatch):
    assert performance.autocast_dtype("cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: True)
    assert performance.autocast_dtype(torch.device("cuda:0")) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: False)
    assert performance.autocast_dtype(torch.device("cuda:0")) == torch.float16


def trainer(performance, max_norm, network, accumulation_steps=1, batches=1) -> SupervisedTrainer:
    """Steps of plain gradient descent with rate 1 on the sum of a linear layer's outputs."""
    data = [{"image": torch.full((1, 2), 3.0), "label": torch.zeros(1)}] * batches
    return SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=data,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=lambda prediction, _: prediction.sum(),
        train_handlers=[performance.Gradients(max_norm, torch.float32)],
        decollate=False,
        accumulation_steps=accumulation_steps,
    )


@pytest.mark.parametrize("max_norm, step", [(None, 18**0.5), (1.0, 1.0), (100.0, 18**0.5)])
def test_a_step_is_as_long_as_the_norm_allows(performance, max_norm, step):
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    trainer(performance, max_norm, network).run()
    assert (network.weight - before).norm().item() == pytest.approx(step, rel=1e-4)


def test_gradients_are_clipped_once_all_of_a_step_are_there(performance):
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    trainer(performance, 1.0, network, accumulation_steps=2, batches=5).run()
    assert (network.weight - before).norm().item() == pytest.approx(3.0, rel=1e-4)  # 2 + 2 + 1


class Scaler:
    """Stands for CUDA's scaler, as far as an order of calls can show."""

    def __init__(self) -> None:
        self.calls = []

    def unscale_(self, optimizer) -> None:
        self.calls.append("unscale")
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad /= 1024


def test_a_scaled_gradient_is_unscaled_before_its_norm_is_taken(performance):
    network = nn.Linear(2, 1, bias=False)
    engine = trainer(performance, 1.0, network)
    engine.scaler, engine.state.iteration, engine.state.epoch_length = Scaler(), 1, 1
    network.weight.grad = torch.tensor([[0.3, 0.4]]) * 1024
    performance.Gradients(1.0, torch.float16).clip(engine)
    assert engine.scaler.calls == ["unscale"]
    torch.testing.assert_close(network.weight.grad, torch.tensor([[0.3, 0.4]]))


@pytest.mark.parametrize("dtype, is_scaled", [(torch.bfloat16, False), (torch.float16, True)])
def test_bfloat16_needs_no_scaling(performance, dtype, is_scaled):
    engine = trainer(performance, None, nn.Linear(2, 1))
    engine.amp, engine.scaler = True, torch.amp.GradScaler("cpu")
    engine.state.device = torch.device("cpu")
    performance.Gradients(None, dtype).started(engine)
    assert engine.scaler.is_enabled() == is_scaled


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_clipping_under_amp_on_a_gpu(performance, dtype):
    network = nn.Linear(2, 1, bias=False).cuda()
    before = network.weight.detach().clone()
    engine = SupervisedTrainer(
        device="cuda",
        max_epochs=1,
        train_data_loader=[{"image": torch.full((1, 2), 3.0), "label": torch.zeros(1)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=lambda prediction, _: prediction.sum(),
        train_handlers=[performance.Gradients(1.0, dtype)],
        decollate=False,
        amp=True,
        amp_kwargs={"dtype": dtype},
    )
    engine.run()
    assert (network.weight - before).norm().item() == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize("device", ["cpu"])
def test_peak_memory_is_in_bytes(performance, device):
    before = performance.peak_memory(device)
    block = torch.ones(2**27)  # 512 MiB
    assert 2**28 < performance.peak_memory(device) < 2**37
    assert performance.peak_memory(device) >= before
    del block
