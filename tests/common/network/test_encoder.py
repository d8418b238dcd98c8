"""How fast the encoder learns: a share of the learning rate, or not at all."""

import logging

import pytest
import torch
from weight_layouts import built, copied, encoder_of, saved

from common.network import encoder
from common.weights import pretrained


def step(network: torch.nn.Module, groups: list[dict]) -> None:
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=0.1)
    network(torch.rand(1, 1, 64, 32, 32)).square().mean().backward()
    optimizer.step()


def test_the_rest_comes_first_at_the_base_rate_then_the_encoder():
    network = built()
    optimizer = torch.optim.AdamW(encoder.parameter_groups(network, 0.01, 0.25), lr=1.0)
    rest, swin = optimizer.param_groups
    assert (rest["lr"], swin["lr"]) == (0.01, 0.0025)
    own = {id(parameter) for parameter in network.swinViT.parameters()}
    assert {id(parameter) for parameter in swin["params"]} == own
    assert len(rest["params"]) + len(own) == len(list(network.parameters()))


def test_full_share_learns_as_one_group_does():
    torch.manual_seed(1)
    image, one, two = torch.rand(1, 1, 64, 32, 32), built(), built()
    two.load_state_dict(one.state_dict())
    for network, params in [(one, one.parameters()), (two, encoder.parameter_groups(two, 0.1, 1))]:
        optimizer = torch.optim.AdamW(params, lr=0.1, fused=True)
        network(image).square().mean().backward()
        optimizer.step()
    assert all(torch.equal(copied(one)[name], value) for name, value in copied(two).items())


def test_frozen_encoder_has_no_gradient_and_stays_bit_for_bit():
    network = built(use_checkpoint=True)
    encoder.freeze_encoder(network, 0)
    before = copied(network)
    step(network, encoder.parameter_groups(network, 0.01, 0))
    assert all(parameter.grad is None for parameter in network.swinViT.parameters())
    moved = {name for name, value in copied(network).items() if not value.equal(before[name])}
    rest = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert moved == rest and not any("swinViT" in name for name in rest)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_other_shares_freeze_nothing(scale):
    network = built()
    encoder.freeze_encoder(network, scale)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not encoder.is_frozen(network)


def test_the_report_says_that_it_is_frozen(refusal, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = saved(tmp_path / "a.pt", encoder_of(copied(built())))
    network = built()
    encoder.freeze_encoder(network, 0)
    pretrained.load_pretrained(network, path)
    assert caplog.messages[-1].endswith("; the encoder is frozen")
    with refusal("--encoder_lr_scale 0 keeps the encoder as it is; give --pretrained"):
        pretrained.load_pretrained(network, None)


def test_a_negative_share_is_refused(refusal):
    with refusal("--encoder_lr_scale -1 is negative; give 0 to freeze"):
        encoder.freeze_encoder(built(), -1)
