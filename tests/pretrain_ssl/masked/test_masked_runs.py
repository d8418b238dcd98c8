"""The objective as a user runs it: resumed exactly, in two processes, and on a real CT."""

import os
from pathlib import Path

import numpy as np
import pytest
from bundle_runs import copy_bundle, run_here
from objective_runs import (
    SHORT,
    check_resumes_exactly,
    check_starts_a_segmentation,
    run_two_processes,
)
from PIL import Image

OVERLAYS = {"masked": "objectives/masked", "mae": "objectives/masked objectives/masked_mae"}


@pytest.mark.slow
@pytest.mark.parametrize("overlays", OVERLAYS.values(), ids=OVERLAYS)
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path, overlays):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train {overlays} demo", "--dataset_dir", phantoms / "corpus", *SHORT]
    assert "/0/network/mask_token" in check_resumes_exactly(bundle, *command)


@pytest.mark.slow
def test_encoder_and_decoder_start_a_segmentation_with_every_tensor(phantoms, tmp_path):
    check_starts_a_segmentation(tmp_path, phantoms, OVERLAYS["mae"], "masked_mae")


@pytest.mark.slow
def test_two_processes_train_every_parameter(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    run_two_processes(bundle, OVERLAYS["mae"], phantoms / "corpus")


@pytest.mark.slow
def test_a_real_ct_is_drawn_with_what_is_hidden_and_what_is_restored(phantoms, tmp_path):
    images = sorted(Path(os.environ.get("REAL_DATA_DIR", ""), "real_ct").rglob("*.nii.gz"))
    if not images:
        pytest.skip("REAL_DATA_DIR holds no folder real_ct with CTs")
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    data = ["--dataset_dir", phantoms / "corpus"]
    run_here(bundle, f"train {OVERLAYS['masked']} demo", *data, "--iterations", 2)
    run_here(bundle, f"inference {OVERLAYS['masked']} demo", "--dataset_dir", images[0])
    (picture,) = (bundle / "predictions").glob("*_triptych.png")
    intact, seen, restored = np.hsplit(np.asarray(Image.open(picture)), 3)
    visible, hidden = seen > 0, (seen == 0) & (intact > 0)  # air is black in any case
    assert 0.1 < visible.mean() < 0.5 and 0.2 < hidden.mean() < 0.8
    assert np.array_equal(intact[visible], seen[visible])
    assert np.abs(restored[visible].astype(int) - intact[visible]).max() <= 1
    assert (restored != seen)[hidden].any()
