"""The encoder with replaced tokens, and a SwinUNETR around it: MONAI's own, bit for bit."""

import importlib

import pytest
import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from common.network.patch_merging import LegacyPatchMerging


def built_encoder(**changes) -> SwinTransformer:
    arguments = {
        "in_chans": 1,
        "embed_dim": 12,
        "window_size": [4, 4, 4],
        "patch_size": [2, 2, 2],
        "depths": [2, 1, 1, 1],
        "num_heads": [3, 6, 12, 24],
    }
    return SwinTransformer(**arguments | changes)


@pytest.fixture
def prepare(scripts):
    return importlib.import_module("scripts.common.network").prepare_network


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    ("changes", "is_fast"),
    [
        ({}, False),
        ({}, True),
        ({"use_v2": True}, True),
        ({"use_checkpoint": True}, True),
        ({"downsample": LegacyPatchMerging, "drop_rate": 0.2}, True),
    ],
    ids=["MONAI's attention", "fast", "use_v2", "checkpointing", "legacy merging, dropout"],
)
def test_without_replace_stages_and_gradients_are_the_encoders_own(
    base, prepare, changes, is_fast, normalize
):
    encoder = prepare(built_encoder(**changes), "cpu", fast_attention=is_fast)
    image, results = torch.rand(2, 1, 32, 32, 32), []
    for run in (base.encode, lambda encoder, *rest: encoder(image, rest[-1])):
        torch.manual_seed(1)
        encoder.zero_grad()
        stages = run(encoder, image, None, normalize)
        sum(stage.square().mean() for stage in stages).backward()
        gradients = [parameter.grad.clone() for parameter in encoder.parameters()]
        results.append([*stages, *gradients])
    assert len(results[0]) == 5 + len(gradients)
    assert all(map(torch.equal, *results))


def test_replaced_tokens_are_what_the_stages_see(base):
    encoder, image = built_encoder().eval(), torch.rand(1, 1, 32, 32, 32)
    seen: list[Tensor] = []

    def replace(tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return torch.zeros_like(tokens)

    stages = base.encode(encoder, image, replace)
    assert torch.equal(seen[0], encoder.patch_embed(image))
    assert seen[0].shape == (1, 12, 16, 16, 16)
    blank = base.encode(encoder, torch.rand(1, 1, 32, 32, 32), torch.zeros_like)
    assert all(map(torch.equal, stages, blank))
    assert not torch.equal(stages[-1], encoder(image)[-1])


@pytest.mark.parametrize("use_v2", [False, True])
def test_restoring_unetr_is_swin_unetr_by_names_and_numbers(base, use_v2):
    network = base.RestoringUNETR(built_encoder(use_v2=use_v2), out_channels=3).eval()
    monai = SwinUNETR(1, 3, depths=(2, 1, 1, 1), window_size=4, feature_size=12, use_v2=use_v2)
    monai.eval().load_state_dict(network.state_dict())
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(image), monai(image))
        assert not torch.equal(network(image, torch.zeros_like), monai(image))


def test_restoring_unetr_refuses_sizes_as_monais_does(base):
    network = base.RestoringUNETR(built_encoder())
    with pytest.raises(ValueError, match=r"must be divisible by 2\*\*5"):
        network(torch.rand(1, 1, 48, 32, 32))
