"""Gradients between backward and the optimizer's step."""

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import nn

from common.training.gradient_clipping import GradientClipping


def trainer(max_norm, network, accumulation_steps=1, batches=1) -> SupervisedTrainer:
    """Steps of plain gradient descent with rate 1 on the sum of a linear layer's outputs."""
    data = [{"image": torch.full((1, 2), 3.0), "label": torch.zeros(1)}] * batches
    return SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=data,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=lambda prediction, _: prediction.sum(),
        train_handlers=[GradientClipping(max_norm)],
        decollate=False,
        accumulation_steps=accumulation_steps,
    )


@pytest.mark.parametrize("max_norm, step", [(None, 18**0.5), (1.0, 1.0), (100.0, 18**0.5)])
def test_a_step_is_as_long_as_the_norm_allows(max_norm, step):
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    trainer(max_norm, network).run()
    assert (network.weight - before).norm().item() == pytest.approx(step, rel=1e-4)


def test_gradients_are_clipped_once_all_of_a_step_are_there():
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    trainer(1.0, network, accumulation_steps=2, batches=5).run()
    assert (network.weight - before).norm().item() == pytest.approx(3.0, rel=1e-4)  # 2 + 2 + 1


class Scaler:
    """Stands for CUDA's scaler, as far as an order of calls can show."""

    def __init__(self) -> None:
        self.calls = []

    def unscale_(self, optimizer) -> None:
        self.calls.append("unscale")
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad /= 1024


def test_a_scaled_gradient_is_unscaled_before_its_norm_is_taken():
    network = nn.Linear(2, 1, bias=False)
    engine = trainer(1.0, network)
    engine.scaler, engine.state.iteration, engine.state.epoch_length = Scaler(), 1, 1
    network.weight.grad = torch.tensor([[0.3, 0.4]]) * 1024
    GradientClipping(1.0).clip(engine)
    assert engine.scaler.calls == ["unscale"]
    torch.testing.assert_close(network.weight.grad, torch.tensor([[0.3, 0.4]]))


@pytest.mark.parametrize("dtype, is_scaled", [(torch.bfloat16, False), (torch.float16, True)])
def test_bfloat16_needs_no_scaling(dtype, is_scaled):
    engine = trainer(None, nn.Linear(2, 1))
    engine.amp, engine.scaler = True, torch.amp.GradScaler("cpu")
    engine.amp_kwargs = {"dtype": dtype}
    engine.state.device = torch.device("cpu")
    GradientClipping(None).started(engine)
    assert engine.scaler.is_enabled() == is_scaled


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_clipping_under_amp_on_a_gpu(dtype):
    network = nn.Linear(2, 1, bias=False).cuda()
    before = network.weight.detach().clone()
    engine = SupervisedTrainer(
        device="cuda",
        max_epochs=1,
        train_data_loader=[{"image": torch.full((1, 2), 3.0), "label": torch.zeros(1)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=lambda prediction, _: prediction.sum(),
        train_handlers=[GradientClipping(1.0)],
        decollate=False,
        amp=True,
        amp_kwargs={"dtype": dtype},
    )
    engine.run()
    assert (network.weight - before).norm().item() == pytest.approx(1.0, rel=1e-2)
