"""Layer-wise learning rates: every parameter at one depth, each depth at its exact rate."""

import pytest
import torch
from weight_layouts import built

from common.network import layer_decay

DEPTHS = (1, 2, 1, 1)  # so that a stage's number is not its depth


def rate_by_name(network: torch.nn.Module, groups: list[dict]) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    pairs = [(names[id(p)], group["lr"]) for group in groups for p in group["params"]]
    assert len(pairs) == len(names) and len(dict(pairs)) == len(names)  # each in one group
    return dict(pairs)


@pytest.mark.parametrize("use_v2", [False, True])
def test_each_depth_has_its_rate_and_each_parameter_one_group(use_v2):
    network = built(depths=DEPTHS, use_v2=use_v2)
    groups = layer_decay.depth_groups(network, 1.0, 1.0, 0.5, "encoder.pt")
    assert [group["lr"] for group in groups] == [0.5**power for power in range(7)]
    rates = rate_by_name(network, groups)
    expected = {
        "patch_embed.proj.weight": 6,
        "layers1.0.blocks.0.attn.qkv.weight": 5,
        "layers1.0.downsample.reduction.weight": 5,
        "layers2.0.blocks.0.norm1.bias": 4,
        "layers2.0.blocks.1.mlp.linear1.weight": 3,
        "layers2.0.downsample.norm.weight": 3,
        "layers3.0.blocks.0.attn.relative_position_bias_table": 2,
        "layers4.0.blocks.0.norm2.weight": 1,
        "layers4.0.downsample.reduction.weight": 1,
    }
    expected |= {"layers2c.0.layer.conv1.conv.weight": 4} if use_v2 else {}
    for name, power in expected.items():
        assert rates[f"swinViT.{name}"] == 0.5**power, name
    outside = [rate for name, rate in rates.items() if not name.startswith("swinViT.")]
    assert outside and set(outside) == {1.0}


def test_the_share_of_the_encoder_is_a_further_factor():
    groups = layer_decay.depth_groups(built(depths=DEPTHS), 0.25, 0.5, 0.5, "encoder.pt")
    assert [group["lr"] for group in groups] == [0.25] + [0.125 * 0.5**n for n in range(1, 7)]


def test_without_decay_all_have_one_rate():
    groups = layer_decay.depth_groups(built(), 0.1, 1.0, 1.0, "encoder.pt")
    assert {group["lr"] for group in groups} == {0.1}


@pytest.mark.parametrize("decay", [0, -0.5, 1.01])
def test_a_decay_out_of_range_is_refused(refusal, decay):
    with refusal(f"--layer_decay {decay} is no share"):
        layer_decay.depth_groups(built(), 0.1, 1.0, decay, "encoder.pt")


def test_an_unknown_parameter_of_the_encoder_is_an_error():
    with pytest.raises(ValueError, match="swinViT.other.weight is at no known depth"):
        layer_decay.depth_of("swinViT.other.weight", [2, 2, 2, 2])


@pytest.mark.parametrize(("decay", "pretrained"), [(0.5, None), (1.0, None), (0.5, "encoder.pt")])
def test_a_random_encoder_that_is_slowed_down_is_told(caplog, decay, pretrained):
    layer_decay.depth_groups(built(), 0.1, 1.0, decay, pretrained)
    is_told = "--layer_decay 0.5 slows down an encoder that starts at random" in caplog.text
    assert is_told == (decay < 1 and not pretrained)
