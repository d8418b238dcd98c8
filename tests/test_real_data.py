"""Real CT, where REAL_DATA_DIR names a folder with it; what is shown is in docs/real_ct.md."""

import csv
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, run
from helpers import write_json

REAL_DATA_DIR = os.environ.get("REAL_DATA_DIR", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL_DATA_DIR, reason="REAL_DATA_DIR names no folder of real images"),
]
CTS = ["torso_3mm.nii.gz", "abdomen_3mm.nii.gz", "thorax_cta_1p5mm_lps.nii.gz"]
ABDOMEN = {"image": "abdomen_3mm.nii.gz", "label": "abdomen_3mm_btcv13.nii.gz"}


@pytest.fixture(scope="module")
def real_ct() -> Path:
    return Path(REAL_DATA_DIR) / "real_ct"


@pytest.fixture(scope="module")
def encoder(real_ct, tmp_path_factory) -> Path:
    """The encoder of a short pre-training on the three CTs."""
    folder = tmp_path_factory.mktemp("real")
    bundle = copy_bundle("pretrain_ssl", folder)
    images = [{"image": name} for name in CTS]
    datalist = write_json(folder / "cts.json", {"training": images, "validation": images})
    flags = ["--dataset_dir", real_ct, "--datalist", datalist, "--batch_size", 3]
    run(bundle, "train demo", *flags, "--iterations", 40, "--iterations_per_epoch", 20)
    with (bundle / "runs/demo/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["value"]) for row in rows if row["name"] == "train/reconstruction_loss"]
    assert losses[-1] < losses[0]
    run(bundle, "export_encoder")
    return bundle / "models/encoder.pt"


@pytest.fixture(scope="module")
def segmenter(real_ct, encoder, tmp_path_factory) -> Path:
    """`btcv_segmentation` fine-tuned from that encoder on the one labelled abdomen."""
    folder = tmp_path_factory.mktemp("real")
    bundle = copy_bundle("btcv_segmentation", folder)
    datalist = write_json(folder / "one.json", {"training": [ABDOMEN], "validation": [ABDOMEN]})
    flags = ["--dataset_dir", real_ct, "--datalist", datalist, "--pretrained", encoder]
    flags += ["--epochs", 300, "--val_interval", 100, "--crops_per_volume", 2, "--batch_size", 1]
    run(bundle, "train demo", *flags)
    run(bundle, "train demo evaluate", "--dataset_dir", real_ct, "--datalist", datalist)
    return bundle


def test_a_labelled_abdomen_is_learnt(segmenter):
    with (segmenter / "evaluation/metrics.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        print(name, row["dice"], row["nsd_2mm"], row["hd95_mm"])
    for name in ("liver", "spleen", "stomach"):
        row = {key: float(value) for key, value in rows[name].items() if key.endswith("mm")}
        assert float(rows[name]["dice"]) >= 0.80
        assert 0 < row["nsd_1mm"] <= row["nsd_2mm"] <= 1
        assert 0 < row["hd95_mm"] < 60
    # this abdomen does not show it
    assert {rows["esophagus"][key] for key in ("dice", "nsd_1mm", "nsd_2mm", "hd95_mm")} == {""}


def test_every_real_ct_is_segmented_on_its_own_grid(segmenter, real_ct, tmp_path):
    for name in CTS:
        run(segmenter, "inference demo", "--dataset_dir", real_ct / name, "--output_dir", tmp_path)
        image = nib.load(real_ct / name)
        made = nib.load(tmp_path / name.replace(".nii.gz", "_seg.nii.gz"))
        assert made.shape == image.shape and made.get_data_dtype() == np.uint8
        assert np.allclose(made.affine, image.affine, atol=1e-5)
        assert nib.aff2axcodes(made.affine) == nib.aff2axcodes(image.affine)
