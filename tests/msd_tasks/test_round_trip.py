"""Labels on thin and tiny grids: resampled, padded, cut into windows and mapped back, they stay.

The network is the identity on the labels' channels, so that all loss is the preprocessing's.
"""

import importlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import config_files, write_nifti
from monai.bundle import ConfigParser
from monai.networks import one_hot
from monai.transforms import Compose

from tools.phantom.cases import case_rng, draw_phantom, grid
from tools.phantom.tasks import TASKS

THIN, TINY = "Task05_Prostate", "Task04_Hippocampus"
GRIDS = {  # task, shape, spacing in mm, least Dice
    "prostate on the task's grid": (THIN, (320, 320, 20), (0.62, 0.62, 3.6), 1.0),
    "prostate in thicker slices": (THIN, (256, 256, 18), (0.7, 0.7, 4.0), 0.99),
    "prostate in thinner slices": (THIN, (320, 320, 24), (0.6, 0.6, 3.0), 0.96),
    "hippocampus on the task's grid": (TINY, (35, 51, 35), (1.0, 1.0, 1.0), 1.0),
    "hippocampus of the smallest size": (TINY, (31, 40, 24), (1.0, 1.0, 1.0), 1.0),
    "hippocampus in thicker slices": (TINY, (35, 51, 30), (1.0, 1.0, 1.2), 0.99),
}


@pytest.fixture
def config_of(load_scripts) -> Callable[[str, str], ConfigParser]:
    """`config_of(task, image)`: the training's config of a task, for the folder of an image."""
    load_scripts("msd_tasks")

    def parse(task: str) -> ConfigParser:
        files = config_files("msd_tasks", "train", f"tasks/{task}")
        return ConfigParser(ConfigParser.load_config_files(files))

    return parse


def draw(task: str, shape: tuple, spacing_mm: tuple, folder) -> tuple[dict, np.ndarray]:
    """Writes image and label of a phantom on exactly this grid; returns paths and labels."""
    spec = TASKS[task]
    axes_mm = grid(shape, spacing_mm, spec.centre_mm)
    image, label = draw_phantom(case_rng(0, task, 2), spec, axes_mm)
    image = image[..., 0] if image.shape[3:] == (1,) else image
    assert set(np.unique(label)) == {0, 1, 2}
    return {
        "image": write_nifti(folder / "image.nii.gz", image.astype(np.float32), spacing_mm),
        "label": write_nifti(folder / "label.nii.gz", label, spacing_mm),
    }, label


def dice(one: np.ndarray, other: np.ndarray) -> list[float]:
    masks = [(one == value, other == value) for value in (1, 2)]
    return [float(2 * (a & b).sum() / (a.sum() + b.sum())) for a, b in masks]


@pytest.mark.parametrize(("task", "shape", "spacing_mm", "least"), GRIDS.values(), ids=GRIDS)
def test_labels_come_back_to_the_images_grid(task, shape, spacing_mm, least, config_of, tmp_path):
    config, (paths, label) = config_of(task), draw(task, shape, spacing_mm, tmp_path)
    case = Compose(config.get_parsed_content("spatial_transforms"))(paths)
    channels = one_hot(case["label"][None].as_tensor(), 3)
    scores = config.get_parsed_content("window_inferer")(channels * 20, lambda windows: windows)
    inference = importlib.import_module("scripts.common.inference")
    back = inference.ResampleToInputd("pred", "image")(case | {"pred": scores[0]})["pred"][0]
    values = dice(back.numpy(), label)
    print(f"\n{task} {shape} {spacing_mm} mm: Dice {values[0]:.4f} {values[1]:.4f}")
    assert back.shape == shape and min(values) >= least


@pytest.mark.parametrize("name", ["prostate on the task's grid", "hippocampus on the task's grid"])
def test_a_crop_is_padded_and_keeps_spacing_and_labels(name, config_of, tmp_path):
    task, shape, spacing_mm, _ = GRIDS[name]
    config, (paths, label) = config_of(task), draw(task, shape, spacing_mm, tmp_path)
    crops = Compose(config.get_parsed_content("deterministic_transforms"))(paths)
    crops = Compose(config.get_parsed_content("random_crop")).set_random_state(seed=0)(crops)
    for crop in crops:
        assert list(crop["image"].shape[1:]) == config["patch_size"]
        assert np.allclose(crop["image"].pixdim, spacing_mm, atol=1e-3)
        counts = [int((crop["label"] == value).sum()) for value in (1, 2)]
        assert counts == [int((label == value).sum()) for value in (1, 2)]
    assert torch.isfinite(crops[0]["image"]).all()
