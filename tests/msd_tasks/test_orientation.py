"""One anatomy under a true header and under one that reverses x and y gives one segmentation."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, last_line, python_here, run_here

MIRROR = np.diag([-1.0, -1.0, 1.0, 1.0])
SHORT = ["--epochs", 1, "--val_interval", 1, "--train::trainer::epoch_length", 2]


def mirrored(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The same anatomy, its voxels in LPS, under an affine that calls them RAS."""
    lps = image.slicer[::-1, ::-1]  # its affine is the true one
    return nib.Nifti1Image(np.asarray(lps.dataobj), MIRROR @ lps.affine)


@pytest.fixture
def both(phantoms, tmp_path) -> tuple[Path, Path]:
    """The folders of one CT written both ways."""
    (path,) = (phantoms / "Task09_Spleen/imagesTs").iterdir()
    true = nib.as_closest_canonical(nib.load(path))
    images = {"true": true, "mirrored": mirrored(true)}
    for name, image in images.items():
        (tmp_path / name).mkdir()
        nib.save(image, tmp_path / name / "ct.nii.gz")
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    return tmp_path / "true", tmp_path / "mirrored"


def test_both_ways_give_the_same_labels(both, weights_of, tmp_path):
    bundle, labels, printed = copy_bundle("msd_tasks", tmp_path), [], []
    weights = ["--ckpt_path", weights_of("Task09_Spleen")]
    for folder, flags in zip((*both, both[1]), ([], ["--msd_orientation", True], [])):
        flags = [*weights, "--dataset_dir", folder, "--save_probabilities", True, *flags]
        done = run_here(bundle, "inference demo", *flags)
        printed.append(done.stdout + done.stderr)
        image, made = nib.load(folder / "ct.nii.gz"), nib.load(bundle / "predictions/ct_seg.nii.gz")
        probabilities = nib.load(bundle / "predictions/ct_prob.nii.gz")
        for output in (made, probabilities):
            assert np.array_equal(output.affine, image.affine)
            for field in ("qform_code", "sform_code", "pixdim", "srow_x", "srow_y", "srow_z"):
                assert np.allclose(output.header[field].flat[:4], image.header[field].flat[:4])
        labels.append(np.asarray(made.dataobj))
    true, corrected, uncorrected = labels
    assert len(np.unique(true)) == 2  # else everything would agree
    assert np.array_equal(corrected[::-1, ::-1], true)
    assert (uncorrected[::-1, ::-1] != true).mean() > 0.01
    off = "msd_orientation is False: the headers count"
    assert [text.count(off) for text in printed] == [1, 0, 1]
    # the weights' note has False: of a run with True that is said at the start and at the end
    other = "was trained with msd_orientation False, and this run has True: right for the"
    assert [text.count(other) for text in printed] == [0, 2, 0]


@pytest.mark.slow
def test_a_training_and_its_evaluation_take_it_from_the_datalist(phantoms, tmp_path):
    bundle, data = copy_bundle("msd_tasks", tmp_path), phantoms / "Task09_Spleen"
    python_here(bundle, "-m", "scripts", "datalist", "msd", data, "--msd_orientation")
    flags = ["--dataset_dir", data, "--datalist", "datalist.json"]
    done = run_here(bundle, "train demo", *flags, *SHORT)
    assert (done.stdout + done.stderr).count("msd_orientation is True in datalist.json") == 1
    done = run_here(bundle, "train demo evaluate", *flags)
    assert (done.stdout + done.stderr).count("msd_orientation is True in datalist.json") == 1
    assert "was trained with msd_orientation" not in done.stdout + done.stderr
    listed = json.loads((bundle / "datalist.json").read_text())
    done = run_here(bundle, "inference demo", *flags, "--msd_orientation", False)
    assert "msd_orientation is" not in done.stdout + done.stderr
    other = "was trained with msd_orientation True, and this run has False: right for images from"
    assert (done.stdout + done.stderr).count(other) == 2
    assert len(list((bundle / "predictions").rglob("*.nii.gz"))) == len(listed["training"]) + 1


def test_another_kind_of_value_is_refused(both, weights_of, tmp_path):
    bundle = copy_bundle("msd_tasks", tmp_path)
    flags = ["--ckpt_path", weights_of("Task09_Spleen"), "--dataset_dir", both[0]]
    done = run_here(bundle, "inference demo", *flags, "--msd_orientation", "yes", check=False)
    assert done.returncode and "--msd_orientation True" in last_line(done.stderr)
