"""Weights of images and videos in networks of volumes: the same function where there is one."""

import logging
import re

import pytest
import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import nn
from weight_layouts import OF_IMAGES, OF_VIDEOS, built, built_of_images, copied, microsoft, saved

from common.network.patch_merging import LEGACY, PatchMerging
from common.weights import commands, pretrained
from common.weights.inflate import MEAN, SD

WINDOW = [3, 3, 2]
VOLUMES = {
    "in_chans": 1,
    "patch_size": [2, 2, 2],
    "spatial_dims": 3,
    "embed_dim": 12,
    "depths": [2, 1, 1, 1],
    "num_heads": [3, 6, 12, 24],
    "patch_norm": True,
}


class Encoder(nn.Module):
    """An encoder of volumes where load looks for it, with the patch mergings of the bundles."""

    def __init__(self, window: list[int] = WINDOW, merging: str = "auto", **changes) -> None:
        super().__init__()

        def downsample(**arguments):
            return PatchMerging(merging=merging, **arguments)

        arguments = {"downsample": downsample} | VOLUMES | {"window_size": window} | changes
        self.swinViT = SwinTransformer(**arguments).eval()


def as_seen_by_images(gray: torch.Tensor) -> torch.Tensor:
    """Gray in [0, 1], (B, 1, …, X, Y): three equal colours, normalised, each voxel 2 x 2 pixels."""
    pixels = gray.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    mean, sd = (torch.tensor(v).view(3, *(1,) * (gray.ndim - 2)) for v in (MEAN, SD))
    return (pixels - mean) / sd


@pytest.mark.parametrize("kind", OF_IMAGES)
def test_a_volume_constant_along_z_gives_the_states_of_its_slice(tmp_path, caplog, kind):
    caplog.set_level(logging.INFO)
    name, make = OF_IMAGES[kind]
    images, volumes = built_of_images(), Encoder()
    pretrained.load_pretrained(volumes, saved(tmp_path / "a.pt", make(copied(images))))
    gray = torch.rand(1, 1, 48, 48)
    with torch.no_grad():
        expected = images(as_seen_by_images(gray))
        states = volumes.swinViT(gray[..., None].expand(-1, -1, -1, -1, 32).contiguous())
    for stage in range(4):  # after the fourth, images are not merged, and 3 tokens are odd
        of_slice = expected[stage][..., None].expand_as(states[stage])
        assert torch.allclose(states[stage], of_slice, atol=4e-6), stage
        assert states[stage].std() > 0.5
    (line,) = caplog.messages
    assert f"({name}, inflated; patch merging current, as it is inflated;" in line
    assert "; swinViT.layers4.0.downsample (3 tensors) from scratch" in line
    total = len(volumes.state_dict())
    assert f"encoder {total - 3} of {total} tensors from" in line
    assert "2 of a last norm that SwinUNETR does not have" in line
    assert "1 of another task's head" in line and "unknown" not in line


@pytest.mark.slow
def test_weights_of_one_channel_see_gray_as_it_is(tmp_path, caplog):
    """No normalisation of red, green and blue is put into their first layer."""
    caplog.set_level(logging.INFO)
    images, volumes = built_of_images(in_chans=1), Encoder()
    pretrained.load_pretrained(volumes, saved(tmp_path / "a.pt", microsoft(copied(images))))
    gray = torch.rand(1, 1, 48, 48)
    with torch.no_grad():
        expected = images(gray.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2))
        states = volumes.swinViT(gray[..., None].expand(-1, -1, -1, -1, 32).contiguous())
    for theirs, ours in zip(expected[:4], states[:4]):
        assert torch.allclose(theirs[..., None].expand_as(ours), ours, atol=4e-6)
    assert "inflated, of one channel, whose normalisation is taken for none;" in caplog.text


def test_another_number_of_channels_is_refused(tmp_path, refusal):
    path = saved(tmp_path / "a.pt", microsoft(copied(built_of_images(in_chans=4))))
    with refusal(r"a\.pt takes 4 channels; give weights of one channel \(gray\) or of three"):
        pretrained.load_pretrained(Encoder(), path)


def test_inflate_input_of_another_patch_size_is_refused_by_name(tmp_path, refusal):
    path = saved(tmp_path / "a.pt", built(patch_size=4).state_dict())
    with refusal(r"1 of 70 tensors of another shape \(such as swinViT.patch_embed.proj.weight\)"):
        pretrained.load_pretrained(built(in_channels=2), path, inflate_input=True)


def test_at_the_size_of_swin_t(tmp_path):
    size = {"embed_dim": 96, "depths": [2, 2, 6, 2]}
    images, volumes = built_of_images(window_size=[7, 7], **size), Encoder([7, 7, 2], **size)
    pretrained.load_pretrained(volumes, saved(tmp_path / "a.pt", microsoft(copied(images))))
    gray = torch.rand(1, 1, 112, 112)
    with torch.no_grad():
        expected = images(as_seen_by_images(gray))
        states = volumes.swinViT(gray[..., None].expand(-1, -1, -1, -1, 32).contiguous())
    for theirs, ours in zip(expected[:4], states[:4]):
        assert torch.allclose(theirs[..., None].expand_as(ours), ours, atol=4e-6)


def test_the_old_merging_gives_other_states(tmp_path, refusal):
    images, volumes = built_of_images(), Encoder(merging=LEGACY)
    path = saved(tmp_path / "a.pt", microsoft(copied(images)))
    with refusal("trained with patch merging current"):
        pretrained.load_pretrained(volumes, path)
    pretrained.load_pretrained(volumes, path, allow_other_merging=True)
    gray = torch.rand(1, 1, 48, 48)
    with torch.no_grad():
        expected = images(as_seen_by_images(gray))[1][..., None]
        state = volumes.swinViT(gray[..., None].expand(-1, -1, -1, -1, 32).contiguous())[1]
    assert (state - expected).abs().mean() > 0.1


@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_a_video_is_seen_as_by_its_own_network_up_to_the_first_merging(tmp_path, caplog, kind):
    caplog.set_level(logging.INFO)
    name, make = OF_VIDEOS[kind]
    changes = {"spatial_dims": 3, "patch_size": [2, 4, 4], "window_size": [4, 3, 3]}
    videos, volumes = built_of_images(**changes), Encoder(window=[3, 3, 4])
    state = copied(videos)
    for tensor in state:  # a video's frames are not merged: (2C, 4C)
        if "downsample" in tensor:
            state[tensor] = state[tensor][..., : state[tensor].shape[-1] // 2]
    pretrained.load_pretrained(volumes, saved(tmp_path / "a.pt", make(state)))
    clip = torch.rand(1, 1, 16, 24, 24)  # frames, rows, columns

    def before_merging(encoder: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
        seen = []
        hook = encoder.layers1[0].downsample.register_forward_pre_hook(
            lambda module, inputs: seen.append(inputs[0])
        )
        with torch.no_grad():
            tokens = encoder(images)[0]
        hook.remove()
        return [tokens.movedim(1, -1), *seen]

    expected = before_merging(videos, as_seen_by_images(clip))
    for theirs, ours in zip(expected, before_merging(volumes.swinViT, clip.movedim(2, -1))):
        assert torch.allclose(theirs.movedim(1, 3), ours, atol=4e-6)
    assert f"({name}, inflated;" in caplog.messages[0]


def test_the_table_of_videos_keeps_the_offsets_that_a_smaller_window_has(tmp_path):
    changes = {"spatial_dims": 3, "patch_size": [2, 4, 4], "window_size": [4, 3, 3]}
    state, volumes = copied(built_of_images(**changes)), Encoder(window=[3, 3, 3])
    for tensor in state:
        if "downsample" in tensor:
            state[tensor] = state[tensor][..., : state[tensor].shape[-1] // 2]
    pretrained.load_pretrained(volumes, saved(tmp_path / "a.pt", OF_VIDEOS["mmaction"][1](state)))
    name = "layers1.0.blocks.0.attn.relative_position_bias_table"
    theirs = state[name].view(7, 5, 5, 3)  # offsets of -3 to 3 frames, -2 to 2 rows and columns
    ours = volumes.swinViT.state_dict()[name].view(5, 5, 5, 3)
    assert torch.equal(ours, theirs[1:6].movedim(0, 2))


def test_another_architecture_is_refused_with_the_flags_that_fit(tmp_path, refusal):
    images = built_of_images(depths=[2, 2, 6, 2], window_size=[7, 7])
    path = saved(tmp_path / "a.pt", microsoft(copied(images)))
    flags = r'--network_def::depths "\[2,2,6,2\]" --network_def::window_size "\[7,7,7\]" '
    with refusal(flags + "--network_def::patch_norm True, or other weights"):
        pretrained.load_pretrained(built(), path)
    with refusal(r'--network_def::encoder::depths "\[2,2,6,2\]" .*encoder::patch_norm True'):
        pretrained.load_pretrained(Encoder([4, 4, 4], patch_norm=False), path)


def test_a_feature_size_that_swin_unetr_cannot_have_is_named(tmp_path, refusal):
    images = built_of_images(embed_dim=16, num_heads=[4, 8, 16, 32])
    path = saved(tmp_path / "a.pt", microsoft(copied(images)))
    with refusal("has feature size 16, .* SwinUNETR takes a feature size that is a multiple of 12"):
        pretrained.load_pretrained(built(patch_norm=True), path)


def test_swin_v2_is_refused(tmp_path, refusal):
    content = microsoft(copied(built_of_images()))
    content["model"]["layers.0.blocks.0.attn.logit_scale"] = torch.ones(3, 1, 1)
    with refusal(r"a\.pt is of a Swin Transformer V2"):
        pretrained.load_pretrained(Encoder(), saved(tmp_path / "a.pt", content))


def test_inspect_recognises_it(tmp_path):
    path = saved(tmp_path / "a.pt", microsoft(copied(built_of_images())))
    lines = commands.inspect(path)
    assert "Swin of images, named as by the authors, inflated" in lines
    assert re.search(
        r"encoder +\d+ of \d+ tensors \(swinViT.layers4.0.downsample.\S+ is missing", lines
    )
    assert "feature size 12, depths 2,1,1,1, heads 3,6,12,24, window size 3" in lines
    assert "patch_norm True, qkv_bias True, input channels 1" in lines
    assert "current, as it is inflated" in lines
