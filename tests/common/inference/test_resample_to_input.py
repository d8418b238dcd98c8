"""Labels on the image's own grid against softmax, `Invertd` and argmax."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
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

from common.inference import resample_to_input


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
def test_labels_equal_those_by_way_of_all_probabilities(grid, slab_gb):
    data, transform = preprocessed(*grid)
    inverted = Compose(
        [
            Activationsd("pred", softmax=True),
            Invertd("pred", orig_keys="image", transform=transform, nearest_interp=False),
        ]
    )(data | {"pred": data["pred"].clone()})
    expected = AsDiscreted("pred", argmax=True)(inverted)["pred"]
    labels = resample_to_input.ResampleToInputd("pred", "image", slab_gb)(data)["pred"]
    assert labels.shape == expected.shape == (1, *grid[1])
    assert labels.dtype == torch.uint8
    np.testing.assert_allclose(labels.affine, expected.affine, atol=1e-6)
    assert labels.meta["filename_or_obj"] == "ct"
    is_inside = inverted["pred"].as_tensor().sum(0) > 1e-6  # beyond is background but for rounding
    assert (labels[0] == expected[0])[is_inside].float().mean() > 0.9999
    assert labels[0][~is_inside].eq(0).float().mean() > 0.99
    assert len(labels.unique()) == 6


def test_scores_on_the_image_s_own_grid_are_not_resampled():
    scores = torch.randn(4, 8, 9, 10)
    labels = resample_to_input.labels_on_grid(scores.clone(), np.eye(4), (8, 9, 10), 1e9)
    assert torch.equal(labels, scores.argmax(0).to(torch.uint8))


def test_a_voxel_half_way_belongs_to_the_more_certain_side():
    """Linear in probabilities, by hand: at 0.5, class 1 has (0.9 + 0.2) / 2 and wins."""
    probabilities = torch.tensor([[0.1, 0.8], [0.9, 0.2]])
    scores = probabilities.log().view(2, 2, 1, 1)
    half = np.diag([0.5, 1, 1, 1])
    labels = resample_to_input.labels_on_grid(scores, half, (4, 1, 1), 1e9).flatten()
    assert labels.tolist() == [1, 1, 0, 0]  # places 0, 0.5, 1, and 1.5: half of 1 and half beyond


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("slices", [1, 2, 5])
def test_thick_slices_of_an_oblique_volume_are_all_labelled(degrees, slices):
    affine = np.eye(4)
    affine[:3, :3] = (turned(degrees) @ np.diag([0.8, 0.8, 10.0])).astype(np.float32)
    image = MetaTensor(torch.zeros(1, 30, 31, slices), affine=torch.tensor(affine))
    image.meta |= {"original_affine": affine, "spatial_shape": np.array(image.shape[1:])}
    image = Spacingd("image", (1.5, 1.5, 2.0))({"image": image})["image"]
    scores = torch.zeros(2, *image.shape[1:])
    scores[1] = 1
    labels = resample_to_input.ResampleToInputd("pred")({"image": image, "pred": scores})["pred"]
    assert (labels == 1).all()


@pytest.mark.parametrize("best, is_named", [(0, True), (1, False)])
def test_an_image_without_labels_is_named_in_the_log(caplog, best, is_named):
    image = MetaTensor(torch.zeros(1, 4, 5, 6), affine=torch.eye(4))
    image.meta |= {"original_affine": np.eye(4), "spatial_shape": np.array([4, 5, 6])}
    image.meta["filename_or_obj"] = "i/ct.nii"
    scores = torch.zeros(2, 4, 5, 6)
    scores[best] = 9
    resample_to_input.ResampleToInputd("pred")({"image": image, "pred": scores})
    assert ("i/ct.nii: no voxel is labelled" in caplog.text) == is_named


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(refusal, score):
    """Argmax would call them background without a word."""
    data, _ = preprocessed(*GRIDS["LPS"])
    data["pred"][3, 4, 5, 6] = score
    words = "^ct: the network's scores hold NaN or infinity.*--amp False"
    with refusal(words):
        resample_to_input.ResampleToInputd("pred", "image")(data)
