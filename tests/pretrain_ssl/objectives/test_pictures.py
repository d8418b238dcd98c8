"""The picture of a restored volume: which voxel is where, and that it holds for any affine."""

import nibabel as nib
import numpy as np
import pytest
import torch
from helpers import config_files, write_nifti
from ignite.engine import Engine
from monai.bundle import ConfigParser
from PIL import Image

LPS, SUPERIOR_FIRST = np.diag([-1, -1, 1]), np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]])
MARK_MM = np.array([70, 35, 0])  # right, anterior and superior of the centre
TILT = nib.eulerangles.euler2mat(x=0.1, z=0.2)  # 6 and 11 degrees


def volume(value: float) -> torch.Tensor:
    return torch.full((1, 2, 3, 2), value)


def test_anterior_is_up_and_the_patients_right_at_the_left(base):
    ras = torch.ones(1, 2, 3, 2)
    for x in range(2):
        for y in range(3):
            ras[0, x, y, 1] = (10 * x + y) / 255  # x grows to the right, y to anterior
    picture = base.pictures.triptych(ras, volume(0), volume(0))
    assert picture[:, :2].tolist() == [[12, 2], [11, 1], [10, 0]]


def test_panels_are_intact_corrupted_restored(base):
    picture = base.pictures.triptych(volume(0.2), volume(0.4), volume(0.6))
    assert picture.dtype == np.uint8 and picture.shape == (3, 6)
    assert picture.tolist() == [[51, 51, 102, 102, 153, 153]] * 3


def test_levels_are_rounded_and_clipped(base):
    picture = base.pictures.triptych(volume(0.999), volume(-0.5), volume(1.5).bfloat16())
    assert picture[0].tolist() == [255, 255, 0, 0, 255, 255]


def test_volumes_of_different_shapes_are_refused(base):
    with pytest.raises(ValueError, match="differ in shape"):
        base.pictures.triptych(volume(0), volume(0), torch.zeros(1, 4, 3, 2))


def marked_body(axes: np.ndarray, spacing_mm: tuple, shape: tuple) -> tuple:
    """A body with a bright mark at its right and anterior, in HU, and the affine.

    Args:
        axes: 3x3, whose columns are the directions of the voxel axes in RAS.
    """
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing_mm
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2  # the centre at 0 mm
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    right, anterior, superior = np.moveaxis(nib.affines.apply_affine(affine, indices), -1, 0)
    hu = np.full(shape, -1000, np.int16)
    hu[(right / 120) ** 2 + (anterior / 90) ** 2 + (superior / 60) ** 2 < 1] = 0
    mark = (right - MARK_MM[0]) ** 2 + (anterior - MARK_MM[1]) ** 2 + superior**2
    hu[mark < 25**2] = 1000
    return hu, affine


@pytest.mark.parametrize(
    ("tilt", "axes", "spacing_mm", "shape", "dimensions"),
    [
        (np.eye(3), np.eye(3), (5, 5, 5), (60, 50, 40), 3),
        (np.eye(3), LPS, (4, 4, 8), (70, 60, 20), 3),
        (np.eye(3), SUPERIOR_FIRST, (8, 4, 5), (20, 60, 60), 3),
        (TILT, LPS, (4, 6, 8), (80, 50, 26), 3),
        (TILT, LPS, (4, 6, 8), (80, 50, 26), 4),
    ],
    ids=["RAS", "LPS, anisotropic", "axes permuted", "oblique, anisotropic", "the same in 4D"],
)
def test_inference_draws_every_affine_alike(
    base, tmp_path, tilt, axes, spacing_mm, shape, dimensions
):
    hu, affine = marked_body(tilt @ axes, spacing_mm, shape)
    hu = hu if dimensions == 3 else hu[..., None]
    path = write_nifti(tmp_path / "ct/sub/case.v1.nii.gz", hu, affine=affine)
    parser = ConfigParser()
    parser.read_config(config_files("pretrain_ssl", "inference", "demo"))
    parser["dataset_dir"], parser["output_dir"] = str(tmp_path / "ct"), str(tmp_path / "out")
    parser.parse()
    case = parser.get_parsed_content("preprocessing")({"image": path})
    case["pred"] = case["intact"] / 2
    parser.get_parsed_content("postprocessing")(case)
    names = {path.name for path in (tmp_path / "out/sub").iterdir()}
    kinds = ("corrupted.nii.gz", "reconstruction.nii.gz", "triptych.png")
    assert names == {f"case.v1_{kind}" for kind in kinds}
    picture = np.asarray(Image.open(tmp_path / "out/sub/case.v1_triptych.png"))
    assert picture.shape == (64, 192) and picture.dtype == np.uint8
    intact, corrupted, restored = np.hsplit(picture, 3)
    rows, columns = np.nonzero(intact > 230)
    right, anterior, _ = tilt.T @ MARK_MM / 5  # the grid is tilted as the scan is; 5 mm a pixel
    assert abs(columns.mean() - (31.5 - right)) < 1 and abs(rows.mean() - (31.5 - anterior)) < 1
    assert np.abs(restored - intact / 2.0).max() <= 1
    lost = (corrupted != intact).mean()
    assert 0 < lost < 0.7 and len(np.unique(corrupted)) > len(np.unique(intact))


def test_each_validation_of_a_training_is_drawn_once_at_its_iteration(base, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(
        "torch.utils.tensorboard.SummaryWriter.add_image",
        lambda self, name, picture, step, **kwargs: steps.append((step, picture.shape)),
    )
    crops = torch.rand(2, 1, 4, 5, 6)
    output = {"label": {"reconstruction": crops}, "pred": {"reconstruction": crops}, "image": crops}
    trainer, evaluator = Engine(lambda *_: None), Engine(lambda *_: output)
    base.ValidationPictures(str(tmp_path), evaluator, count=1).attach(trainer)
    trainer.run([0] * 3, max_epochs=1)
    evaluator.run([0, 0], max_epochs=1)
    trainer.run([0] * 2, max_epochs=2)
    evaluator.run([0, 0], max_epochs=1)
    assert steps == [(3, (5, 12)), (trainer.state.iteration, (5, 12))]
