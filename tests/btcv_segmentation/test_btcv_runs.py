"""`btcv_segmentation` as a user runs it, on phantoms, with the demo overlay."""

import csv
import itertools
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import surface_distance
import torch
from bundle_runs import copy_bundle, last_line, run, run_here, torchrun
from helpers import write_nifti

from tools.phantom.dicom import write_series


def test_fine_tuning_says_what_came_from_the_encoder(finetuned):
    assert (
        "encoder 70 of 70 tensors from" in finetuned[1] and "decoder from scratch" in finetuned[1]
    )
    words = "trained with intensity -1000 to 1000 as 0 to 1, here -175 to 250 as 0 to 1)"
    assert words in finetuned[1]


def test_fine_tuning_leaves_one_loadable_model(finetuned):
    assert [path.name for path in (finetuned[0] / "models").iterdir()] == ["model.pt"]
    state = torch.load(finetuned[0] / "models/model.pt", weights_only=True)
    assert state["out.conv.conv.weight"].shape == (14, 12, 1, 1, 1)


@pytest.fixture(scope="module")
def evaluated(finetuned, phantoms) -> tuple[list[dict], dict, str]:
    """Rows and summary of an evaluation of all five cases, and what it printed."""
    flags = ["--dataset_dir", phantoms / "btcv", "--evaluate_on", "all"]
    printed = run(finetuned[0], "train demo evaluate", *flags).stdout
    folder = finetuned[0] / "evaluation"
    assert sorted(path.name for path in folder.iterdir()) == [
        "boxplots.png",
        "metrics.csv",
        "summary.json",
    ]
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((folder / "summary.json").read_text()), printed


def test_evaluation_writes_a_row_per_case_and_organ(evaluated):
    rows, summary, printed = evaluated
    assert len(rows) == 5 * 13 and {row["case"] for row in rows} >= {"img0001", "img0005"}
    assert ",".join(rows[0]) == (
        "case,label,name,dice,nsd_1mm,nsd_2mm,hd95_mm,volume_ml,reference_volume_ml"
    )
    assert summary["cases"] == 5
    line = "4 of 5 cases were trained on by ./models/model.pt: their figures tell nothing about new"
    lines = [text.partition("WARNING")[2] for text in printed.splitlines() if line in text]
    assert len(summary["trained_on"]) == 4 and len(lines) == 2  # at the start, and as the last
    assert line in last_line(printed)
    liver = [float(row["nsd_2mm"]) for row in rows if row["name"] == "liver"]
    assert summary["organs"]["liver"]["nsd_2mm"]["mean"] == pytest.approx(np.mean(liver), abs=1e-4)
    (line,) = [line for line in printed.splitlines() if line.startswith("liver ")]
    assert f"Dice {summary['dice']['liver']:.3f}  NSD 1mm " in line and " HD95 " in line


def test_an_evaluation_goes_on_after_a_damaged_case(finetuned, phantoms, tmp_path):
    source, data = phantoms / "btcv/RawData/Training", tmp_path / "data/RawData/Training"
    for kind, number in itertools.product(("img", "label"), (1, 2)):
        path = data / kind / f"{kind}000{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / kind / path.name, path)
    cut = data / "img/img0001.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-2000])
    flags = ["--dataset_dir", tmp_path / "data", "--evaluate_on", "all"]
    flags += ["--evaluation_dir", tmp_path / "evaluation"]
    done = run_here(finetuned[0], "train demo evaluate", *flags, check=False)
    assert done.returncode == 1 and last_line(done.stderr) == (
        f"error: 1 of 2 images could not be evaluated: {cut}; the lines above say why, mend or "
        "remove them."
    )
    assert f"failed: {cut} is cut short or damaged" in done.stdout
    assert "mean of the organs " in done.stdout
    with (tmp_path / "evaluation/metrics.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["img0002"] * 13
    summary = json.loads((tmp_path / "evaluation/summary.json").read_text())
    assert summary["cases"] == 1 and summary["failed"] == ["img0001"]
    assert "failed, in no mean (1): img0001" in done.stdout


@pytest.mark.slow
def test_two_processes_evaluate_as_one(finetuned, evaluated, phantoms, tmp_path):
    flags = ["--dataset_dir", phantoms / "btcv", "--evaluate_on", "all"]
    flags += ["--evaluation_dir", tmp_path]
    torchrun(finetuned[0], "train demo multi_gpu_train evaluate", *flags)
    with (tmp_path / "metrics.csv").open() as file:
        assert list(csv.DictReader(file)) == evaluated[0]


def test_reference_volumes_are_those_of_the_label_file(finetuned, phantoms):
    flags = ["--dataset_dir", phantoms / "btcv", "--fold", 1]
    run_here(finetuned[0], "train demo evaluate", *flags)
    with (finetuned[0] / "evaluation/metrics.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == "liver")
    folder = phantoms / "btcv/RawData/Training/label"
    label = nib.load(folder / f"{row['case'].replace('img', 'label')}.nii.gz")
    voxel_ml = np.prod(label.header.get_zooms()) / 1000
    expected = np.sum(label.get_fdata() == 6) * voxel_ml
    assert float(row["reference_volume_ml"]) == pytest.approx(expected, rel=1e-3)


def oblique(degrees: float, spacing_mm: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, :3] = np.array(turn) @ affine[:3, :3]
    affine[:3, 3] = [-50.0, 20.0, 900.0]
    return affine


@pytest.fixture
def odd_images(phantoms, tmp_path) -> Path:
    """Phantoms as they are, one of them as DICOM too, and images of every odd shape and type."""
    folder = tmp_path / "images"
    shutil.copytree(phantoms / "btcv/RawData/Training/img", folder / "sub")
    hu = np.random.default_rng(0).integers(-1000, 400, (40, 30, 20)).astype(np.int16)
    write_nifti(folder / "oblique.nii.gz", hu, affine=oblique(12, 7.0))
    write_nifti(folder / "tiny.nii", hu[:9, :8, :5], affine=np.diag([-6.0, -6.0, 6.0, 1.0]))
    permuted = np.array([[0, 0, 5.0, 0], [-5, 0, 0, 3], [0, 6, 0, 7], [0, 0, 0, 1]])
    write_nifti(folder / "permuted.nii.gz", hu.astype(np.float32), affine=permuted)
    write_nifti(folder / "one_of_4d.nii.gz", hu[..., None], spacing_mm=(5, 5, 5))
    write_nifti(folder / "lps.nii.gz", hu.astype(np.int32), affine=np.diag([-5, -5, 5, 1.0]))
    write_nifti(folder / "anisotropic.nii.gz", hu[..., :6], spacing_mm=(0.9, 0.9, 12))
    write_nifti(folder / "big.nii", np.tile(hu, (5, 6, 5)), spacing_mm=(0.8, 0.8, 1.5))
    scaled = nib.Nifti1Image((hu // 8 + 125).astype(np.uint8), np.diag([5, 5, 5, 1.0]))
    scaled.header.set_slope_inter(8, -1000)
    nib.save(scaled, folder / "scaled.nii.gz")
    series = nib.as_closest_canonical(nib.load(folder / "sub/img0001.nii.gz"))
    write_series(folder / "1.2.3", series.get_fdata(), series.header.get_zooms())
    return folder


@pytest.fixture
def two_members(finetuned, tmp_path) -> Path:
    """A pattern for two networks that differ."""
    for fold in range(2):
        state = torch.load(finetuned[0] / "models/model.pt", weights_only=True)
        path = tmp_path / f"runs/fold{fold}/best.pt"
        path.parent.mkdir(parents=True)
        for value in filter(torch.Tensor.is_floating_point, state.values()):
            value *= 1 + 0.2 * fold
        torch.save(state, path)
    return tmp_path / "runs/fold*/best.pt"


def test_every_image_is_labelled_on_its_own_grid(finetuned, odd_images, two_members, tmp_path):
    """By an ensemble of two, with probabilities; an image cut short stops none of the others."""
    paths = sorted(odd_images.rglob("*.nii*"))
    assert len(paths) == 13
    (odd_images / "cut.nii.gz").write_bytes(paths[0].read_bytes()[:-3000])
    flags = ["--dataset_dir", odd_images, "--output_dir", tmp_path / "o"]
    flags += ["--ckpt_path", two_members, "--save_probabilities", "True"]
    flags += ["--largest_component", "['liver']"]
    done = run_here(finetuned[0], "inference demo", *flags, check=False)
    assert done.returncode == 1 and "ensemble of 2 networks" in done.stdout
    assert f"failed: {odd_images}/cut.nii.gz is cut short or damaged" in done.stdout
    assert last_line(done.stderr) == (
        f"error: 1 of 15 images could not be segmented: {odd_images}/cut.nii.gz; the lines above "
        "say why, mend or remove them."
    )
    made = [path for path in (tmp_path / "o").rglob("*") if path.is_file()]
    assert len(made) == 2 * 14 and not (tmp_path / "o/cut_seg.nii.gz").exists()
    for path in paths:
        stem, image = path.name.split(".nii")[0], nib.load(path)
        folder = tmp_path / "o" / path.parent.relative_to(odd_images)
        made, steps = (nib.load(folder / f"{stem}_{end}.nii.gz") for end in ("seg", "prob"))
        assert made.get_data_dtype() == np.uint8 and made.shape == image.shape[:3]
        assert steps.get_data_dtype() == np.uint8 and steps.shape == (*image.shape[:3], 14)
        for file in (made, steps):
            assert np.allclose(file.affine, image.affine, atol=1e-5)
        agrees_with_probabilities(made, steps)
    of_series, of_file = (
        nib.as_closest_canonical(nib.load(tmp_path / f"o/{name}_seg.nii.gz"))
        for name in ("1.2.3", "sub/img0001")
    )
    np.testing.assert_array_equal(of_series.dataobj, of_file.dataobj)


def agrees_with_probabilities(made: nib.Nifti1Image, steps: nib.Nifti1Image) -> None:
    """A label is the most probable class, up to rounding, but where pieces were removed."""
    labels, steps = np.asarray(made.dataobj), np.asarray(steps.dataobj.get_unscaled())
    assert labels.max() < 14
    of_label = np.take_along_axis(steps, labels[..., None].astype(int), -1)[..., 0]
    is_highest = steps.max(-1) - of_label <= 1
    is_removed = (labels == 0) & (steps.max(-1) - steps[..., 6] <= 1)
    assert (is_highest | is_removed).all()


def test_inference_of_one_file_is_what_was_evaluated(finetuned, evaluated, phantoms, tmp_path):
    image = phantoms / "btcv/RawData/Training/img/img0002.nii.gz"
    run_here(finetuned[0], "inference demo", "--dataset_dir", image, "--output_dir", tmp_path / "o")
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["img0002_seg.nii.gz"]
    made = nib.load(tmp_path / "o/img0002_seg.nii.gz")
    label = nib.load(phantoms / "btcv/RawData/Training/label/label0002.nii.gz")
    voxel_ml = np.prod(label.header.get_zooms()) / 1000
    predictions, references = np.asarray(made.dataobj), np.asarray(label.dataobj)
    rows = [row for row in evaluated[0] if row["case"] == "img0002"]
    assert any(float(row["dice"] or 0) > 0 for row in rows)
    for row in rows:
        prediction, reference = (each == int(row["label"]) for each in (predictions, references))
        assert float(row["volume_ml"]) == pytest.approx(prediction.sum() * voxel_ml, rel=1e-4)
        if not (prediction.any() and reference.any()):
            continue
        assert float(row["dice"]) == pytest.approx(
            surface_distance.compute_dice_coefficient(reference, prediction), abs=1e-4
        )
        surfaces = surface_distance.compute_surface_distances(
            reference, prediction, label.header.get_zooms()
        )
        nsd = surface_distance.compute_surface_dice_at_tolerance(surfaces, 2)
        assert float(row["nsd_2mm"]) == pytest.approx(nsd, abs=1e-4)
        hd95 = surface_distance.compute_robust_hausdorff(surfaces, 95)
        assert float(row["hd95_mm"]) == pytest.approx(hd95, abs=1e-2)


@pytest.mark.slow  # tests/test_resume.py has two processes among the fast tests
def test_two_processes_train_beside_a_frozen_encoder_and_go_on(phantoms, pretrained, tmp_path):
    bundle, encoder = copy_bundle("btcv_segmentation", tmp_path), pretrained / "models/encoder.pt"
    flags = ["--dataset_dir", phantoms / "btcv", "--epochs", 2, "--val_interval", 2]
    flags += ["--checkpoint_interval", 1, "--pretrained", encoder, "--encoder_lr_scale", 0]
    done = torchrun(bundle, "train demo multi_gpu_train", *flags)
    assert "; the encoder is frozen" in done.stdout
    assert "validation/mean_dice" in (bundle / "runs/demo/metrics.csv").read_text()
    first, given = torch.load(bundle / "models/model.pt"), torch.load(encoder)
    assert first._metadata["trained_with"]["spacing_mm"] == [5.0, 5.0, 5.0]
    assert all(torch.equal(first[name], value) for name, value in given.items())

    for path in [bundle / "models/model.pt", *bundle.glob("runs/demo/checkpoints/*")]:
        if path.name != "iteration_1.pt":
            path.unlink()
    done = torchrun(bundle, "train demo multi_gpu_train", *flags)
    assert "goes on from runs/demo/checkpoints/iteration_1.pt" in done.stdout
    again = torch.load(bundle / "models/model.pt")
    assert again._metadata["trained_with"] == first._metadata["trained_with"]
    assert all(torch.equal(again[name], value) for name, value in first.items())


def test_weights_are_not_run_at_another_spacing(finetuned, phantoms, tmp_path):
    flags = ["--dataset_dir", phantoms / "btcv", "--spacing_mm", "[6,6,6]"]
    done = run_here(finetuned[0], "train demo evaluate", *flags, check=False)
    assert done.returncode and last_line(done.stderr) == (
        "error: ./models/model.pt was trained with spacing 5 x 5 x 5 mm, here 6 x 6 x 6 mm; give "
        "the settings of its training, or other weights by --ckpt_path."
    )
