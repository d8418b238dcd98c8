"""Probabilities on the image's own grid, and their file."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from common.inference import probability_writer, resample_to_input

AFFINE = np.array([[-0.9, 0, 0, 5], [0, 1.1, 0.1, 3], [0, 0, 2.3, -7], [0, 0, 0, 1]])


@pytest.fixture
def data():
    """An image of (21, 20, 11) voxels and scores of 4 classes on a grid of 2 mm."""
    meta = {"original_affine": AFFINE, "spatial_shape": np.array([21, 20, 11])}
    network = np.diag([2.0, 2.0, 2.0, 1.0])
    network[:3, 3] = [-13.0, 3.0, -7.0]
    image = MetaTensor(torch.zeros(1, 10, 12, 13), affine=torch.tensor(network), meta=meta)
    scores = torch.nn.functional.interpolate(3 * torch.randn(1, 4, 5, 6, 6), (10, 12, 13))[0]
    return {"image": image, "pred": MetaTensor(scores, meta=image.meta)}


@pytest.mark.filterwarnings("ignore:Setting affine")
@pytest.mark.parametrize("slab_gb", [0.25, 1e-6])
def test_they_sum_to_one_and_their_argmax_is_the_label(data, slab_gb):
    made = resample_to_input.ResampleToInputd("pred", "image", slab_gb, "probabilities")(data)
    steps = made["probabilities"].numpy()
    assert steps.shape == (4, 21, 20, 11) and steps.dtype == np.uint8
    assert np.abs(steps.sum(0, dtype=int) - 255).max() <= 2
    labels = made["pred"][0].numpy()
    of_label = np.take_along_axis(steps, labels[None].astype(int), 0)[0]
    assert (steps.max(0) - of_label).max() <= 1
    assert len(np.unique(labels)) == 4


def test_none_are_made_unless_asked_for(data):
    assert set(resample_to_input.ResampleToInputd("pred", "image")(data)) == {"image", "pred"}


def test_beyond_the_scores_is_background():
    values = torch.tensor([[0.2, 0.1, 0.0], [0.6, 0.3, 0.0]])  # inside, at the edge, beyond
    assert probability_writer.in_steps(values).tolist() == [[64, 64, 255], [191, 191, 0]]


def test_the_file_holds_probabilities_on_the_grid(tmp_path):
    steps = np.random.default_rng(0).integers(0, 256, (3, 5, 6, 7)).astype(np.uint8)
    writer = probability_writer.ProbabilityWriter(output_dtype=np.uint8)
    writer.set_data_array(steps, channel_dim=0)
    writer.set_metadata({"affine": AFFINE, "original_affine": AFFINE, "spatial_shape": (5, 6, 7)})
    for name in ("a_prob.nii.gz", "a_prob.nii"):
        writer.write(tmp_path / name)
        image = nib.load(tmp_path / name)
        assert image.shape == (5, 6, 7, 3) and image.get_data_dtype() == np.uint8
        np.testing.assert_allclose(image.get_fdata(), steps.transpose(1, 2, 3, 0) / 255, atol=1e-7)
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_prob.nii", "a_prob.nii.gz"]
