"""`pretrain_ssl` as a user runs it, on phantoms, with the demo overlay."""

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, last_line, run, run_here, torchrun
from helpers import write_json, write_nifti
from monai.networks.nets import SwinUNETR
from PIL import Image

FIGURES = {"loss", "rotation_loss", "contrastive_loss", "reconstruction_loss"}
VALIDATION = "validation/loss"
FIGURES |= {"rotation_accuracy", "contrastive_top1", "mean_cosine", "psnr", "l1", "l1_of_mean"}


def rows(run_folder: Path) -> list[dict]:
    with (run_folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_training_leaves_curves_checkpoints_and_one_model(pretrained):
    names = {row["name"] for row in rows(pretrained / "runs/demo")}
    assert names >= {f"{part}/{name}" for part in ("train", "validation") for name in FIGURES}
    checkpoints = {path.name for path in (pretrained / "runs/demo/checkpoints").iterdir()}
    assert checkpoints == {"best.pt", "iteration_1.pt", "iteration_2.pt"}
    assert {path.name for path in (pretrained / "models").iterdir()} == {"model.pt", "encoder.pt"}
    assert list((pretrained / "runs/demo/tensorboard").iterdir())


def test_the_run_keeps_its_configuration(pretrained):
    kept = json.loads((pretrained / "runs/demo/config.json").read_text())
    assert (
        kept["config"]["network_def"]["encoder"]["embed_dim"] == 12
        and kept["flags"]["iterations"] == 2
    )


def test_exported_encoder_is_exactly_swin_unetrs(pretrained):
    encoder = torch.load(pretrained / "models/encoder.pt", weights_only=True)
    network = SwinUNETR(1, 14, feature_size=12, depths=(1, 1, 1, 1), window_size=4)
    own = {k: v for k, v in network.state_dict().items() if k.startswith("swinViT.")}
    assert {k: v.shape for k, v in encoder.items()} == {k: v.shape for k, v in own.items()}
    trained = torch.load(pretrained / "models/model.pt", weights_only=True)
    assert all(torch.equal(encoder[name], trained[name]) for name in encoder)


def test_encoder_of_any_state_loads_into_swin_unetr_with_every_tensor(pretrained, tmp_path):
    state = pretrained / "runs/demo/checkpoints/iteration_1.pt"
    flags = ["--ckpt_path", state, "--encoder_path", tmp_path / "a.pt"]
    run_here(pretrained, "export_encoder", *flags)
    encoder = torch.load(tmp_path / "a.pt", weights_only=True)
    network = SwinUNETR(1, 14, feature_size=12, depths=(1, 1, 1, 1), window_size=4)
    missing, unexpected = network.load_state_dict(encoder, strict=False)
    assert unexpected == [] and not any(name.startswith("swinViT.") for name in missing)
    trained = torch.load(state, weights_only=True)["network"]
    assert all(torch.equal(network.state_dict()[n], trained[n]) for n in encoder)


def test_the_same_seed_trains_the_same_weights(pretrained, phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 2]
    run(bundle, "train demo", "--dataset_dir", phantoms / "corpus", *flags)
    mine = torch.load(bundle / "runs/demo/checkpoints/iteration_2.pt", weights_only=True)
    other = torch.load(pretrained / "runs/demo/checkpoints/iteration_2.pt", weights_only=True)
    assert all(torch.equal(mine["network"][k], v) for k, v in other["network"].items())


def test_a_run_starts_from_the_public_encoders_layout_in_chunks_with_one_task(
    pretrained, phantoms, tmp_path
):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    encoder = torch.load(pretrained / "models/encoder.pt", weights_only=True)
    names = {name: f"module.{name.removeprefix('swinViT.')}" for name in encoder}
    content = {names[name].replace(".linear", ".fc"): value for name, value in encoder.items()}
    torch.save({"state_dict": content}, tmp_path / "model_swinvit.pt")
    flags = ["--iterations", 1, "--batch_size", 4, "--chunk_size", 2, "--learning_rate", 1e-30]
    flags += ["--pretrained", tmp_path / "model_swinvit.pt"]
    flags += ["--loss_weights", "{'rotation':0,'contrastive':0,'reconstruction':1}"]
    done = run_here(bundle, "train demo", "--dataset_dir", phantoms / "corpus", *flags)
    assert "encoder 70 of 70 tensors" in done.stdout
    trained = torch.load(bundle / "models/model.pt", weights_only=True)
    assert all((trained[name] - value).abs().max() < 1e-25 for name, value in encoder.items())
    figures = {row["name"]: row["value"] for row in rows(bundle / "runs/demo")}
    assert figures["train/loss"] == figures["train/reconstruction_loss"]


def test_curves_go_to_mlflow_by_monais_own_tracking(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    flags = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2]
    flags += ["--tracking", "configs/mlflow.json"]
    corpus = Path(shutil.copytree(phantoms / "corpus", tmp_path / "corpus"))
    (corpus / "more.zip").touch()
    done = run_here(bundle, "train demo", "--dataset_dir", corpus, *flags)
    assert last_line(done.stdout).endswith(f"left out of {corpus}: 1 (more.zip): packed: unpack it")
    database = sqlite3.connect(bundle / "runs/mlruns.db")
    found = database.execute("select key, step, value from metrics").fetchall()
    steps = {key: sorted(step for name, step, _ in found if name == key) for key, *_ in found}
    assert steps["step_loss"] == [1, 2, 3, 4]
    assert steps["rotation_accuracy"] == steps["contrastive_loss"] == [1, 2]
    expected = [float(r["value"]) for r in rows(bundle / "runs/demo") if r["name"] == VALIDATION]
    logged = [value for key, _, value in sorted(found) if key == "loss"]
    assert np.allclose(logged, expected, rtol=1e-4)


def test_evaluation_repeats_the_best_validation(pretrained, phantoms):
    flags = ["--dataset_dir", phantoms / "corpus", "--batch_size", 2]
    run_here(pretrained, "train demo evaluate", *flags)
    figures = json.loads((pretrained / "evaluation/metrics.json").read_text())
    losses = [r["value"] for r in rows(pretrained / "runs/demo") if r["name"] == "validation/loss"]
    assert set(figures) == FIGURES | {"chance"}
    assert set(figures["chance"]) == {"rotation_accuracy", "contrastive_top1", "l1"}
    assert np.isclose(figures["loss"], min(map(float, losses)), rtol=1e-4)


def test_a_prepared_corpus_trains_by_its_own_datalist_and_is_evaluated(tmp_path):
    bundle, corpus = copy_bundle("pretrain_ssl", tmp_path), tmp_path / "corpus"
    rng = np.random.default_rng(0)
    for number in range(3):
        hu = rng.integers(-1000, 400, (70, 60, 40)).astype(np.int16)
        write_nifti(corpus / f"volumes/{number}.nii", hu, spacing_mm=(5, 5, 5))
    images = [{"image": f"volumes/{number}.nii"} for number in range(3)]
    own = write_json(corpus / "datalist.json", {"training": images[:2], "validation": images[2:]})
    flags = ["--dataset_dir", corpus, "--iterations", 1, "--batch_size", 2, "--num_workers", 1]
    done = run_here(bundle, "train demo", *flags)
    assert done.stdout.count(f"training and validation as in {own}") == 1
    run_here(bundle, "train demo evaluate", *flags, "--evaluate_on", "all")
    with (bundle / "evaluation/views.csv").open(newline="") as file:
        named = [row["image"] for row in csv.DictReader(file)]
    assert sorted(set(named)) == [str(corpus / item["image"]) for item in images]


def body_size(image: nib.Nifti1Image) -> np.ndarray:
    """Extent of what is above -500 HU along the patient's x and y, in voxels of 5 mm."""
    image = nib.as_closest_canonical(image)
    places = np.argwhere(image.get_fdata() > -500)
    return (np.ptp(places, axis=0) + 1)[:2] * image.header.get_zooms()[:2] / 5


def test_inference_writes_volumes_on_the_images_grid_pictures_and_embeddings(pretrained, phantoms):
    run_here(pretrained, "inference demo", "--dataset_dir", phantoms / "corpus")
    images = sorted(path for path in (phantoms / "corpus").rglob("*.nii*"))
    assert len(images) == 4
    for path in images:
        image, stem = nib.load(path), path.name.split(".nii")[0]
        folder = pretrained / "predictions" / path.parent.relative_to(phantoms / "corpus")
        for kind in ("corrupted", "reconstruction"):
            made = nib.load(folder / f"{stem}_{kind}.nii.gz")
            assert made.shape == image.shape and np.allclose(made.affine, image.affine, atol=1e-5)
            assert -1000 <= made.get_fdata().min() and made.get_fdata().max() <= 1000
        picture = Image.open(folder / f"{stem}_triptych.png")
        assert picture.mode == "L" and picture.width % 3 == 0
        for pixels, expected in zip((picture.width // 3, picture.height), body_size(image)):
            assert abs(pixels - max(64, expected)) <= 2  # padded to a patch where it is smaller
    with (pretrained / "predictions/embeddings.csv").open(newline="") as file:
        header, *table = csv.reader(file)
    columns = [f"stage{s}_{f}" for s in range(5) for f in range(12 * 2**s)]
    assert header == ["image", *columns]
    assert [row[0] for row in table] == [
        path.relative_to(phantoms / "corpus").as_posix() for path in images
    ]
    values = np.array([row[1:] for row in table], dtype=float)
    assert values.shape == (4, len(columns)) and np.isfinite(values).all()
    assert len(np.unique(values, axis=0)) == 4


@pytest.mark.slow  # test_resume has two processes among the fast tests
def test_two_processes_train_together(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    flags = ["--iterations", 2, "--iterations_per_epoch", 1, "--batch_size", 1]
    torchrun(bundle, "train demo multi_gpu_train", "--dataset_dir", phantoms / "corpus", *flags)
    assert rows(bundle / "runs/demo")[-1]["iteration"] == "2"
    assert (bundle / "models/model.pt").is_file()


def test_inference_goes_on_after_a_damaged_image(pretrained, phantoms, tmp_path):
    whole, cut = tmp_path / "images/whole.nii", tmp_path / "images/cut.nii"
    source = min((phantoms / "corpus").rglob("*.nii"))
    whole.parent.mkdir()
    whole.write_bytes(source.read_bytes())
    cut.write_bytes(source.read_bytes()[:-2000])
    (whole.parent / "more.zip").touch()
    hu = np.full((30, 28, 20), -1000, np.float32)
    write_nifti(whole.parent / "blank.nii", hu, (5, 5, 5))
    hu[8:20, 8:20, 4:9] = 40
    write_nifti(whole.parent / "one_slice.nii", hu[..., 5:6], (5, 5, 5))
    hu[10, 10, 5] = np.nan
    write_nifti(whole.parent / "with_nan.nii", hu, (5, 5, 5))
    flags = ["--dataset_dir", whole.parent, "--output_dir", tmp_path / "out"]
    done = run_here(pretrained, "inference demo", *flags, check=False)
    assert done.returncode == 1 and done.stderr.strip().splitlines()[-1] == (
        f"error: 1 of 5 images could not be processed: {cut}; the lines above say why, mend or "
        "remove them."
    )
    images = ["blank.nii", "one_slice.nii", "whole.nii", "with_nan.nii"]
    with (tmp_path / "out/embeddings.csv").open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["image", *images]
    assert done.stdout.count(f"left out of {whole.parent}: 1 (more.zip): packed: unpack it") == 2
    for name in images:
        made = nib.load(tmp_path / f"out/{name.removesuffix('.nii')}_reconstruction.nii.gz")
        assert made.shape == nib.load(whole.parent / name).shape
        assert -1000 <= made.get_fdata().min() and made.get_fdata().max() <= 1000
    assert f"{whole.parent}/blank.nii shows nothing: all voxels are -1000" in done.stderr
    assert f"{whole.parent}/with_nan.nii: 1 voxels are not finite" in done.stderr
