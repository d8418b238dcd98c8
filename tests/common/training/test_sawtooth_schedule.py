"""The two phases: exact rates, an encoder that does not change by a bit, and exact resuming."""

import io
import math

import pytest
import torch

from common.network import freeze_encoder, parameter_groups
from common.training import SawtoothSchedule

STEPS = {"decoder_steps": 4, "warmup_steps": 2, "t_total": 10}


class Small(torch.nn.Module):
    """An encoder and the rest, by the names of SwinUNETR."""

    def __init__(self) -> None:
        super().__init__()
        self.swinViT = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
        self.out = torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.swinViT(x).tanh())


class Run:
    """A training by the schedule; `fused` as in the bundles."""

    def __init__(self, scale: float = 0.5, **steps: int) -> None:
        torch.manual_seed(0)
        self.network = Small()
        groups = parameter_groups(self.network, 0.1, scale)
        self.optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.1, fused=True)
        self.scheduler = SawtoothSchedule(self.optimizer, self.network, **STEPS | steps)
        self.step_number = 0

    @property
    def parts(self) -> tuple:
        return self.network, self.optimizer, self.scheduler

    def go(self, steps: int) -> "Run":
        for _ in range(steps):
            data = torch.Generator().manual_seed(self.step_number)
            self.optimizer.zero_grad()
            self.network(torch.randn(8, 3, generator=data)).square().mean().backward()
            self.optimizer.step()
            self.scheduler.step()
            self.step_number += 1
        return self

    def rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}


def test_both_groups_have_the_rates_of_the_table():
    run, found = Run(), []
    for _ in range(11):
        found.append(run.rates())
        run.go(1)
    fall = [0.5 * (1 + math.cos(math.pi * n / 4)) for n in range(4)]
    decoder = [0.5, 1, 1, 0.5, 0.5, 1, *fall, 0]
    encoder = [0, 0, 0, 0, 0.5, 1, *fall, 0]
    expected = [[0.1 * d, 0.05 * e] for d, e in zip(decoder, encoder)]
    assert found == [pytest.approx(pair, abs=1e-12) for pair in expected]
    assert [pair[1] for pair in found[:4]] == [0.0] * 4


def test_the_encoder_is_the_same_to_the_last_bit_in_phase_one_and_learns_after_it():
    run = Run()
    before = run.weights()
    run.go(4)
    after = run.weights()
    for name, value in before.items():
        assert value.equal(after[name]) == name.startswith("swinViT."), name
    run.go(1)
    assert not any(value.equal(after[name]) for name, value in run.weights().items())


@pytest.mark.parametrize("stop", [2, 3, 4, 5, 7], ids=lambda n: f"after_{n}")
def test_a_resumed_run_equals_the_uninterrupted_one(stop):
    whole, first, second = Run().go(10), Run().go(stop), Run()
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first.parts], file)
    file.seek(0)
    for part, state in zip(second.parts, torch.load(file, weights_only=True)):
        part.load_state_dict(state)
    second.step_number = stop
    second.go(10 - stop)
    assert second.rates() == whole.rates()
    found = second.weights()
    assert all(value.equal(found[name]) for name, value in whole.weights().items())


def test_no_steps_for_the_decoder_or_the_warm_up_begin_at_the_full_rate():
    assert Run(decoder_steps=0, warmup_steps=0).rates() == [0.1, 0.05]
    assert Run(decoder_steps=1).rates() == [0.1, 0.0]


@pytest.mark.parametrize("steps", [{"decoder_steps": 8}, {"warmup_steps": -1}])
def test_phases_that_do_not_fit_are_refused(refusal, steps):
    with refusal("give a smaller --decoder_epochs or --warmup_epochs, or more --epochs"):
        Run(**steps)


def test_an_encoder_that_is_frozen_for_good_is_refused(refusal):
    network = Small()
    freeze_encoder(network, 0)
    optimizer = torch.optim.AdamW(parameter_groups(network, 0.1, 0))
    with refusal("--encoder_lr_scale 0 freezes the encoder for good"):
        SawtoothSchedule(optimizer, network, **STEPS)


def test_a_group_of_both_parts_is_an_error():
    network = Small()
    with pytest.raises(ValueError, match="mixes encoder and decoder"):
        SawtoothSchedule(torch.optim.AdamW(network.parameters()), network, **STEPS)
