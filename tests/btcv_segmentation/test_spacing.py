"""MONAI Label hands `image_path` to the preprocessing, and wants it back."""

import numpy as np
import pytest
import torch
from helpers import BUNDLES, config_files, write_nifti
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Spacingd


@pytest.mark.parametrize("bundle", ["btcv_segmentation", "msd_tasks"])
def test_a_servers_own_items_come_through_the_preprocessing(
    load_scripts, bundle, tmp_path, monkeypatch
):
    """As MONAI Label calls it: `device` is a text, the item has a path beside the image."""
    load_scripts(bundle)
    hu = np.random.default_rng(0).integers(-900, 300, (12, 10, 8)).astype(np.int16)
    path = write_nifti(tmp_path / "ct.nii.gz", hu, spacing_mm=(3, 3, 4))
    monkeypatch.chdir(BUNDLES / bundle)
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference"))
    parser["device"] = "cpu"
    others = {"image_path": path, "model": bundle, "device": "cpu"}
    made = parser.get_parsed_content("preprocessing")({"image": path, **others})
    image = made.pop("image")
    assert made == others
    assert image.shape[1] > hu.shape[0] and image.meta["filename_or_obj"] == path


def test_it_resamples_as_monais(scripts):
    volumes = {key: MetaTensor(torch.rand(1, 9, 8, 7)) for key in ("image", "label")}
    arguments = {"keys": list(volumes), "pixdim": (0.7, 0.8, 0.9), "mode": ["bilinear", "nearest"]}
    ours, monais = scripts.spacing.Spacingd(**arguments), Spacingd(**arguments)
    for key in volumes:
        expected = monais(dict(volumes))[key]
        made = ours({**volumes, "image_path": "ct.nii.gz"})[key]
        assert torch.equal(made, expected) and torch.equal(made.affine, expected.affine)
    assert torch.equal(*(step.inverse(step(volumes))["image"] for step in (ours, monais)))
