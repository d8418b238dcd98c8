"""Whole volumes against MONAI's sliding windows."""

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import SwinUNETR
from torch import nn

from common.inference import ensemble, sliding_window
from common.network.fast_attention import FastLayer

WINDOW = (32, 32, 32)


@pytest.fixture
def network() -> nn.Module:
    """Its scores depend on where in the window a voxel lies, as a Swin UNETR's do."""
    layers = [nn.Conv3d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv3d(3, 5, 3, padding=1)]
    return nn.Sequential(*layers, nn.InstanceNorm3d(5))


def body_in_air(shape: tuple[int, ...], channels: int = 1) -> torch.Tensor:
    """(1, channels, X, Y, Z): noise in a box that ends at voxel 30, 20 and 20, zero around it."""
    image = torch.zeros(1, channels, *shape)
    box = image[..., 10:30, 5:20, 8:20]
    box += torch.rand(box.shape) + 0.1
    return image


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize("overlap", [0.5, 0.25])
@pytest.mark.parametrize("shape", [(70, 90, 40), (64, 32, 100), (20, 64, 31), WINDOW])
def test_scores_in_the_body_equal_monais(network, shape, overlap, mode):
    image = body_in_air(shape)
    inferer = sliding_window.BodyWindowInferer(WINDOW, 3, overlap, mode=mode)
    expected = SlidingWindowInferer(WINDOW, 4, overlap, mode=mode)(image, network)
    scores = inferer(image, network)
    assert scores.shape == expected.shape
    body = (image > 0).expand_as(scores)
    torch.testing.assert_close(scores[body], expected[body], rtol=1e-5, atol=1e-5)


def test_windows_of_air_do_not_reach_the_network(network):
    image, seen = body_in_air((96, 96, 96)), []

    def counting(batch):
        seen.append(len(batch))
        return network(batch)

    scores = sliding_window.BodyWindowInferer(WINDOW, 2)(image, counting)
    assert sum(seen) == 8  # two windows along each axis reach into the box
    assert max(seen) == 2
    far = scores[0, :, 64:, 64:, 64:]
    assert (far.argmax(0) == 0).all()
    assert far.softmax(0)[0].min() > 0.99


def test_air_may_have_any_value_in_any_channel():
    image = body_in_air((64, 64, 64), channels=2) * torch.tensor([1.0, 0.0]).view(2, 1, 1, 1) - 3.5
    network = nn.Conv3d(2, 3, 3, padding=1)
    expected = SlidingWindowInferer(WINDOW, 4, 0.5, mode="gaussian")(image, network)
    scores = sliding_window.BodyWindowInferer(WINDOW)(image, network)
    body = (image[:, :1] > -3.5).expand_as(scores)
    torch.testing.assert_close(scores[body], expected[body], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 40, 40), (20, 40, 1)])
def test_a_volume_that_does_not_vary_is_background_with_a_warning(shape):
    def organ_everywhere(batch):
        return torch.tensor([0.0, 99, 0]).view(1, 3, 1, 1, 1).expand(len(batch), 3, *WINDOW)

    image = MetaTensor(torch.full((1, 1, *shape), 0.3), meta={"filename_or_obj": ["a/ct.nii.gz"]})
    for inferer in (
        sliding_window.BodyWindowInferer(WINDOW),
        ensemble.EnsembleInferer(sliding_window.BodyWindowInferer(WINDOW), flip_axes=[0]),
    ):
        with pytest.warns(UserWarning, match="^a/ct.nii.gz: no window varies .* background$"):
            scores = inferer(image, organ_everywhere)
        assert scores.shape == (1, 3, *shape)
        assert scores.as_tensor().softmax(1)[:, 0].min() > 0.99


def test_each_volume_of_a_batch_and_its_metadata(network):
    images = torch.cat([body_in_air((40, 40, 40)), body_in_air((40, 40, 40)).flip(2)])
    images = MetaTensor(images, meta={"filename_or_obj": "ct.nii.gz"})
    inferer = sliding_window.BodyWindowInferer(WINDOW)
    scores = inferer(images, network)
    assert scores.meta["filename_or_obj"] == "ct.nii.gz"
    for image, score in zip(images, scores):
        assert torch.equal(inferer(image[None].as_tensor(), network)[0], score.as_tensor())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_large_scores_stay_in_the_hosts_memory(network):
    image = body_in_air((64, 64, 64)).cuda()
    on_device = sliding_window.BodyWindowInferer(WINDOW)(image, network.cuda())
    on_host = sliding_window.BodyWindowInferer(WINDOW, scores_gb=0.001)(image, network)
    assert on_device.is_cuda and not on_host.is_cuda
    torch.testing.assert_close(on_device.cpu(), on_host)


@pytest.mark.parametrize("is_on", [True, False])
def test_a_network_as_a_server_gives_it_gets_fast_attention(is_on):
    torch.manual_seed(0)
    network = SwinUNETR(1, 2, feature_size=12, depths=(1, 1, 1, 1), window_size=4).eval()
    image = torch.rand(1, 1, 64, 64, 32)
    with torch.no_grad():
        expected = network(image)
    inferer = sliding_window.BodyWindowInferer((64, 64, 32), fast_attention=is_on)
    scores = inferer(image, network)
    assert any(isinstance(module, FastLayer) for module in network.modules()) == is_on
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)
