"""A user's mistake ends in one sentence, the last line on standard error, and nothing is left.

Most runs are of `run_here`, and one of a Python of its own shows that this ends the same way.
"""

import gzip
import shutil
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import OUTPUTS, copy_bundle, last_line, python_here, run, run_here, torchrun
from helpers import write_json, write_nifti

HU = np.random.default_rng(0).integers(-1000, 400, (64, 64, 40)).astype(np.int16)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: copy_bundle(name, folder) for name in ("pretrain_ssl", "btcv_segmentation")}


def refuses(bundle: Path, configs: str, *flags, by=run_here) -> str:
    """The sentence of a command that must fail and leave nothing behind.

    What it has left is removed, so that the tests after it judge their own commands.
    """
    done = by(bundle, configs, *flags, check=False)
    left = [name for name in OUTPUTS if (bundle / name).exists()]
    for name in left:
        shutil.rmtree(bundle / name)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert not left
    sentence = last_line(done.stderr)
    assert sentence.startswith("error: ")
    return sentence


def python_here_of(arguments: list, bundle: Path, configs: str, check: bool):
    """A command of `python -m scripts`, for `refuses`."""
    return python_here(bundle, *arguments, check=check)


def test_crops_that_the_augmentation_would_turn_into_other_shapes(bundles, tmp_path):
    flags = ["--dataset_dir", tmp_path, "--patch_size", "[96,64,64]"]
    sentence = refuses(bundles["btcv_segmentation"], "train", *flags)
    assert sentence.startswith("error: --patch_size [96, 64, 64] has other edges along x")


def test_missing_folder(bundles, tmp_path):
    for name, configs in [
        ("pretrain_ssl", "train demo"),
        ("btcv_segmentation", "train demo"),
    ]:
        sentence = refuses(bundles[name], configs, "--dataset_dir", tmp_path / "nowhere")
        assert "nowhere does not exist" in sentence and "--dataset_dir" in sentence


def test_folder_without_images(bundles, tmp_path):
    assert "holds no image" in refuses(
        bundles["pretrain_ssl"], "train demo", "--dataset_dir", tmp_path
    )
    assert "has no images in any of RawData/Training/img" in refuses(
        bundles["btcv_segmentation"], "train demo", "--dataset_dir", tmp_path
    )


def test_image_without_its_label(bundles, tmp_path):
    write_nifti(tmp_path / "imagesTr/a.nii.gz", HU)
    (tmp_path / "labelsTr").mkdir()
    sentence = refuses(bundles["btcv_segmentation"], "train demo", "--dataset_dir", tmp_path)
    assert "a.nii.gz has no label in" in sentence


def test_split_of_btcv_for_other_images(bundles, tmp_path):
    for folder, values in (("imagesTr", HU), ("labelsTr", np.zeros_like(HU))):
        write_nifti(tmp_path / folder / "a.nii.gz", values)
    flags = ["--dataset_dir", tmp_path, "--split", "btcv_24_6"]
    sentence = refuses(bundles["btcv_segmentation"], "train demo", *flags)
    assert "--split btcv_24_6 is for BTCV" in sentence and "a.nii.gz has no such name" in sentence


def test_missing_weights_name_how_to_get_them(bundles, tmp_path):
    write_nifti(tmp_path / "a.nii.gz", HU)
    for name, configs in [
        ("pretrain_ssl", "export_encoder"),
        ("btcv_segmentation", "inference demo"),
    ]:
        flags = [] if configs == "export_encoder" else ["--dataset_dir", tmp_path]
        sentence = refuses(bundles[name], configs, *flags)
        assert "models/model.pt do not exist" in sentence and "configs/train.json" in sentence


def test_foreign_checkpoint(bundles, tmp_path, phantoms):
    foreign = tmp_path / "foreign.pt"
    torch.save({"state_dict": {"module.layers1.0.blocks.0.norm1.weight": torch.ones(12)}}, foreign)
    data = ["--dataset_dir", phantoms / "btcv"]
    sentence = refuses(bundles["btcv_segmentation"], "train demo", *data, "--pretrained", foreign)
    assert "foreign.pt does not hold this network's encoder: 65 of 70 tensors missing" in sentence
    torch.save({"backbone.layers1.0.blocks.0.norm1.weight": torch.ones(12)}, foreign)
    sentence = refuses(bundles["btcv_segmentation"], "train demo", *data, "--pretrained", foreign)
    assert "foreign.pt has no encoder of a Swin UNETR" in sentence and "docs/weights.md" in sentence


def test_weights_of_a_failed_training(bundles, tmp_path, phantoms, pretrained):
    """70 of 70 tensors fit; the training would save NaN, the inference background alone."""
    path, broken = pretrained / "models/model.pt", tmp_path / "nan.pt"
    tensors = torch.load(path, weights_only=True)
    name = next(name for name in tensors if name.endswith("norm1.weight"))
    tensors[name][0] = float("nan")
    torch.save(tensors, broken)
    convert = ["-m", "scripts", "weights", "convert", broken, tmp_path / "out.pt"]
    data = ["--dataset_dir", phantoms / "btcv"]
    for bundle, configs, *flags in [
        ("btcv_segmentation", "train demo", *data, "--pretrained", broken),
        ("btcv_segmentation", "inference demo", *data, "--ckpt_path", broken),
        ("pretrain_ssl", "export_encoder", "--ckpt_path", broken),
        ("btcv_segmentation", "convert"),
    ]:
        by = partial(python_here_of, convert) if configs == "convert" else run_here
        sentence = refuses(bundles[bundle], configs, *flags, by=by)
        assert f"nan.pt is of a training that failed: its {name} holds NaN or infinity" in sentence
    assert not (tmp_path / "out.pt").exists()


@pytest.mark.parametrize(
    ("bundle", "configs", "flag"),
    [
        (bundle, configs, flag)
        for bundle in ("pretrain_ssl", "btcv_segmentation")
        for configs, flag in [
            ("train demo", "--model_path"),
            ("train demo", "--output_dir"),
            ("inference demo", "--output_dir"),
            ("train demo evaluate", "--evaluation_dir"),
            ("export_encoder", "--encoder_path"),
        ]
        if (bundle, configs) != ("btcv_segmentation", "export_encoder")
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_anything_is_read(
    bundles, tmp_path, bundle, configs, flag
):
    (tmp_path / "taken").write_text("a file")
    data = [] if configs == "export_encoder" else ["--dataset_dir", tmp_path / "not_yet_looked_at"]
    sentence = refuses(bundles[bundle], configs, *data, flag, tmp_path / "taken/x")
    assert "taken/x cannot be written (Not a directory); give another place." in sentence


@pytest.mark.parametrize("by", [run, run_here])
def test_misspelt_flag(bundles, phantoms, by):
    flags = ["--dataset_dir", phantoms / "btcv", "--epcohs", 7]
    assert refuses(bundles["btcv_segmentation"], "train demo", *flags, by=by) == (
        "error: Unknown flag --epcohs: no config file declares it; did you mean --epochs?"
    )


def test_volume_that_is_not_3d(bundles, tmp_path):
    write_nifti(tmp_path / "flat.nii.gz", HU[..., 0])
    sentence = refuses(bundles["pretrain_ssl"], "train demo", "--dataset_dir", tmp_path)
    assert "flat.nii.gz has shape (64, 64), expected a 3D volume" in sentence


@pytest.mark.parametrize("workers", [0, 1])
def test_volume_of_nan_is_named_whoever_reads_it(bundles, tmp_path, workers):
    write_nifti(tmp_path / "a.nii.gz", HU)
    write_nifti(tmp_path / "b.nii.gz", np.full(HU.shape, np.nan, np.float32))
    datalist = write_json(
        tmp_path / "list.json",
        {"training": [{"image": "b.nii.gz"}], "validation": [{"image": "a.nii.gz"}]},
    )
    flags = ["--dataset_dir", tmp_path, "--datalist", datalist, "--num_workers", workers]
    flags += ["--output_dir", tmp_path / "run", "--cache_rate", 0 if workers else 1]
    sentence = refuses(bundles["pretrain_ssl"], "train demo", *flags)
    assert "b.nii.gz holds no finite voxel (all NaN); replace or remove it." in sentence


def test_volume_of_air_is_named_by_a_worker_that_reads_crops(bundles, tmp_path):
    for name in "ab":
        write_nifti(tmp_path / f"{name}.nii", np.full_like(HU, -1000), spacing_mm=(5, 5, 5))
    flags = ["--dataset_dir", tmp_path, "--num_workers", 1, "--cache_rate", 0]
    flags += ["--output_dir", tmp_path / "run"]
    sentence = refuses(bundles["pretrain_ssl"], "train demo", *flags)
    assert ".nii shows no body, no voxel is above -500 HU; remove it." in sentence


def test_truncated_file(bundles, tmp_path):
    whole = nib.Nifti1Image(HU, np.eye(4)).to_bytes()
    packed = gzip.compress(whole)
    (tmp_path / "cut.nii.gz").write_bytes(packed[: len(packed) // 2])
    sentence = refuses(bundles["pretrain_ssl"], "train demo", "--dataset_dir", tmp_path)
    assert "cut.nii.gz is cut short or damaged; replace or remove it." in sentence


def test_a_damaged_file_is_the_last_entry_of_the_report_of_torchrun(bundles, tmp_path, phantoms):
    shutil.copytree(phantoms / "corpus", tmp_path / "corpus")
    for path in (tmp_path / "corpus").rglob("*.nii.gz"):
        path.write_bytes(path.read_bytes()[:3000])
    flags = ["--dataset_dir", tmp_path / "corpus", "--iterations", 2, "--batch_size", 2]
    flags += ["--output_dir", tmp_path / "run", "--cache_rate", 0, "--num_workers", 1]
    done = torchrun(bundles["pretrain_ssl"], "train demo multi_gpu_train", *flags, check=False)
    assert done.returncode == 1
    entries = [line for line in done.stderr.splitlines() if line.startswith("  traceback :")]
    assert entries[-1].endswith("ct.nii.gz is cut short or damaged; replace or remove it.")
    before = done.stderr.partition("Traceback")[0]  # torchrun's own
    assert "error: " in before and "DataLoader worker" not in done.stdout + done.stderr


def test_unreadable_file(bundles, tmp_path):
    (tmp_path / "text.nii.gz").write_text("not an image")
    sentence = refuses(bundles["pretrain_ssl"], "train demo", "--dataset_dir", tmp_path)
    assert "text.nii.gz cannot be read as an image" in sentence


def test_image_that_is_not_in_hu_is_warned_about_and_used(finetuned, tmp_path):
    write_nifti(tmp_path / "mr.nii.gz", (HU.clip(0) + 1).astype(np.uint16), spacing_mm=(5, 5, 5))
    flags = ["--dataset_dir", tmp_path, "--output_dir", tmp_path / "o"]
    done = run_here(finetuned[0], "inference demo", *flags)
    assert "mr.nii.gz: values from 1 to 400 do not look like Hounsfield units" in done.stderr
    assert (tmp_path / "o/mr_seg.nii.gz").is_file()
