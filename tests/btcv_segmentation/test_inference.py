"""Whole volumes against MONAI's sliding windows, and against softmax, `Invertd` and argmax."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    CropForegroundd,
    Invertd,
    Orientationd,
    Spacingd,
)
from torch import nn

WINDOW = (32, 32, 32)


@pytest.fixture
def inference(load_scripts):
    return load_scripts("btcv_segmentation").inference


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
def test_scores_in_the_body_equal_monais(inference, network, shape, overlap, mode):
    image = body_in_air(shape)
    inferer = inference.BodyWindowInferer(WINDOW, 3, overlap, mode=mode)
    expected = SlidingWindowInferer(WINDOW, 4, overlap, mode=mode)(image, network)
    scores = inferer(image, network)
    assert scores.shape == expected.shape
    body = (image > 0).expand_as(scores)
    torch.testing.assert_close(scores[body], expected[body], rtol=1e-5, atol=1e-5)


def test_windows_of_air_do_not_reach_the_network(inference, network):
    image, seen = body_in_air((96, 96, 96)), []

    def counting(batch):
        seen.append(len(batch))
        return network(batch)

    scores = inference.BodyWindowInferer(WINDOW, 2)(image, counting)
    assert sum(seen) == 8  # two windows along each axis reach into the box
    assert max(seen) == 2
    far = scores[0, :, 64:, 64:, 64:]
    assert (far.argmax(0) == 0).all()
    assert far.softmax(0)[0].min() > 0.99


def test_air_may_have_any_value_in_any_channel(inference):
    image = body_in_air((64, 64, 64), channels=2) * torch.tensor([1.0, 0.0]).view(2, 1, 1, 1) - 3.5
    network = nn.Conv3d(2, 3, 3, padding=1)
    expected = SlidingWindowInferer(WINDOW, 4, 0.5, mode="gaussian")(image, network)
    scores = inference.BodyWindowInferer(WINDOW)(image, network)
    body = (image[:, :1] > -3.5).expand_as(scores)
    torch.testing.assert_close(scores[body], expected[body], rtol=1e-5, atol=1e-5)


def test_a_volume_of_air_alone_is_background(inference, network):
    scores = inference.BodyWindowInferer(WINDOW)(torch.zeros(1, 1, 40, 40, 40), network)
    assert scores.shape == (1, 5, 40, 40, 40)


def test_each_volume_of_a_batch_and_its_metadata(inference, network):
    images = torch.cat([body_in_air((40, 40, 40)), body_in_air((40, 40, 40)).flip(2)])
    images = MetaTensor(images, meta={"filename_or_obj": "ct.nii.gz"})
    inferer = inference.BodyWindowInferer(WINDOW)
    scores = inferer(images, network)
    assert scores.meta["filename_or_obj"] == "ct.nii.gz"
    for image, score in zip(images, scores):
        assert torch.equal(inferer(image[None].as_tensor(), network)[0], score.as_tensor())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_large_scores_stay_in_the_hosts_memory(inference, network):
    image = body_in_air((64, 64, 64)).cuda()
    on_device = inference.BodyWindowInferer(WINDOW)(image, network.cuda())
    on_host = inference.BodyWindowInferer(WINDOW, scores_gb=0.001)(image, network)
    assert on_device.is_cuda and not on_host.is_cuda
    torch.testing.assert_close(on_device.cpu(), on_host)


def turned(degrees: float) -> np.ndarray:
    """Rotation about x."""
    angle = np.deg2rad(degrees)
    rotation = np.eye(3)
    rotation[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return rotation


GRIDS = {
    "LPS": (np.diag([-1.5, -1.5, 2.0]), (70, 80, 45)),
    "coarse slices": (np.diag([-0.8, 0.8, 4.7]), (90, 100, 14)),
    "coarser than the network's": (np.diag([3.0, 3.0, 1.0]), (40, 41, 60)),
    "permuted axes": (np.array([[0, 0, 1.1], [-0.9, 0, 0], [0, 2.1, 0]]), (61, 40, 73)),
    "oblique": (turned(20) @ np.diag([0.9, 0.9, 2.5]), (80, 81, 40)),
    "sheared": (np.array([[1.0, 0, 0.3], [0, 1.0, 0], [0, 0, 2.3]]), (64, 65, 40)),
}


def preprocessed(matrix: np.ndarray, shape: tuple[int, ...]) -> tuple[dict, Compose]:
    """An image with air around it, brought to 1.5 x 1.5 x 2 mm, and scores on that grid."""
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, [-31.0, 12.0, 7.0]
    image = torch.zeros(1, *shape)
    box = image[:, 5:-6, 8:-4, 3:-2]
    box += torch.rand(box.shape) + 0.1
    meta = {"original_affine": affine, "spatial_shape": np.array(shape), "filename_or_obj": "ct"}
    transform = Compose(
        [
            Orientationd("image", "RAS", labels=None),
            Spacingd("image", (1.5, 1.5, 2.0), mode="bilinear"),
            CropForegroundd("image", source_key="image"),
        ]
    )
    data = transform({"image": MetaTensor(image, affine=torch.tensor(affine), meta=meta)})
    coarse = 5 * torch.randn(1, 6, 7, 6, 5)
    scores = nn.functional.interpolate(coarse, data["image"].shape[1:], mode="trilinear")[0]
    return data | {"pred": MetaTensor(scores, meta=data["image"].meta)}, transform


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("slab_gb", [0.25, 1e-5], ids=["one slab", "plane by plane"])
@pytest.mark.filterwarnings("ignore:Setting affine")
def test_labels_equal_those_by_way_of_all_probabilities(inference, grid, slab_gb):
    data, transform = preprocessed(*grid)
    inverted = Compose(
        [
            Activationsd("pred", softmax=True),
            Invertd("pred", orig_keys="image", transform=transform, nearest_interp=False),
        ]
    )(data | {"pred": data["pred"].clone()})
    expected = AsDiscreted("pred", argmax=True)(inverted)["pred"]
    labels = inference.LabelsOnInputGridd("pred", "image", slab_gb)(data)["pred"]
    assert labels.shape == expected.shape == (1, *grid[1])
    assert labels.dtype == torch.uint8
    np.testing.assert_allclose(labels.affine, expected.affine, atol=1e-6)
    assert labels.meta["filename_or_obj"] == "ct"
    is_inside = inverted["pred"].as_tensor().sum(0) > 1e-6  # beyond is background but for rounding
    assert (labels[0] == expected[0])[is_inside].float().mean() > 0.9999
    assert labels[0][~is_inside].eq(0).float().mean() > 0.99
    assert len(labels.unique()) == 6


def test_scores_on_the_image_s_own_grid_are_not_resampled(inference):
    scores = torch.randn(4, 8, 9, 10)
    labels = inference.labels_on_grid(scores.clone(), np.eye(4), (8, 9, 10), 1e9)
    assert torch.equal(labels, scores.argmax(0).to(torch.uint8))


def test_a_voxel_half_way_belongs_to_the_more_certain_side(inference):
    """Linear in probabilities, by hand: at 0.5, class 1 has (0.9 + 0.2) / 2 and wins."""
    probabilities = torch.tensor([[0.1, 0.8], [0.9, 0.2]])
    scores = probabilities.log().view(2, 2, 1, 1)
    half = np.diag([0.5, 1, 1, 1])
    labels = inference.labels_on_grid(scores, half, (4, 1, 1), 1e9).flatten()
    assert labels.tolist() == [1, 1, 0, 0]  # places 0, 0.5, 1, and 1.5: half of 1 and half beyond
