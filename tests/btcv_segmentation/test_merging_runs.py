"""Weights of the older patch merging through the commands: train, resume, infer, export."""

import json
import logging
from pathlib import Path

import pytest
import torch
from bundle_runs import copy_bundle, last_line, python_here, run_here
from weight_layouts import built, copied, encoder_of, model_swinvit, saved

from common.network import patch_merging
from common.weights import load

SHORT = ["--epochs", 1, "--train::trainer::epoch_length", 1, "--val_interval", 5]


@pytest.fixture(scope="module")
def trained(phantoms, tmp_path_factory) -> tuple[Path, list, str]:
    """A bundle after a step from an encoder of the authors' layout, the flags, what was printed."""
    folder = tmp_path_factory.mktemp("merging")
    bundle = copy_bundle("btcv_segmentation", folder)
    encoder = saved(folder / "encoder.pt", model_swinvit(copied(built("legacy"))))
    flags = ["--dataset_dir", phantoms / "btcv", "--pretrained", encoder, *SHORT]
    refused = run_here(bundle, "train demo", *flags, "--merging", "current", check=False)
    assert last_line(refused.stderr) == (
        f"error: {encoder} was trained with patch merging legacy (by its layout), and --merging "
        "says current; leave --merging out, or add --allow_other_merging True to run another "
        "function."
    )
    assert not (bundle / "runs").exists()
    return bundle, flags, run_here(bundle, "train demo", *flags).stdout


def test_a_training_follows_its_encoder_and_writes_it_down(trained):
    bundle, _, printed = trained
    assert "(model_swinvit.pt (Tang et al.); patch merging legacy, by its layout; " in printed
    config = json.loads((bundle / "runs/demo/config.json").read_text())
    assert config["merging"] == "legacy" and config["config"]["merging"] == "auto"
    model = torch.load(bundle / "models/model.pt", weights_only=True)
    best = torch.load(bundle / "runs/demo/checkpoints/best.pt", weights_only=True)["network"]
    for state in (model, best):
        assert state._metadata["trained_with"]["merging"] == "legacy"


def test_a_run_is_not_gone_on_with_under_another_merging(trained):
    bundle, flags, _ = trained
    path = Path(flags[flags.index("--pretrained") + 1])
    before = path.read_bytes()
    saved(path, encoder_of(copied(built("current"))))
    done = run_here(bundle, "train demo", *flags, check=False)
    path.write_bytes(before)
    assert done.returncode == 1 and last_line(done.stderr) == (
        "error: the run was begun with patch merging legacy, and this command has current, from "
        "--merging or --pretrained; give what it was begun with, or another --run_name."
    )


def test_an_inference_follows_the_deployed_weights(trained, phantoms, tmp_path):
    bundle = trained[0]
    image = phantoms / "btcv/RawData/Training/img/img0001.nii.gz"
    flags = ["--dataset_dir", image, "--output_dir", tmp_path / "out"]
    done = run_here(bundle, "inference demo", *flags, "--merging", "current", check=False)
    assert "model.pt was trained with patch merging legacy (by its note)" in last_line(done.stderr)
    assert not (tmp_path / "out").exists()
    flags += ["--merging", "current", "--allow_other_merging", True]
    done = run_here(bundle, "inference demo", *flags)
    assert "patch merging current, ALTHOUGH TRAINED WITH legacy (by its note)" in done.stdout
    model = torch.load(bundle / "models/model.pt", weights_only=True)
    assert model._metadata["trained_with"]["merging"] == "legacy"


def test_an_exported_program_computes_what_was_trained(trained, tmp_path):
    bundle = trained[0]
    files = "['configs/inference.json','configs/demo.json']"
    python_here(
        bundle,
        *("-m", "monai.bundle", "ckpt_export", "network_def", "--filepath", tmp_path / "model.ts"),
        *("--ckpt_file", "models/model.pt", "--meta_file", "configs/metadata.json"),
        *("--config_file", files, "--use_trace", True, "--input_shape", "[1,1,64,64,32]"),
    )
    legacy = patch_merging.LegacyPatchMerging
    network = built("legacy", downsample=legacy).eval()
    network.load_state_dict(torch.load(bundle / "models/model.pt", weights_only=True))
    program, image = torch.jit.load(tmp_path / "model.ts").eval(), torch.rand(2, 1, 64, 64, 32)
    with torch.no_grad():
        expected = network(image)
        assert (program(image) - expected).abs().max() < 1e-4 * expected.abs().max()


def test_the_demos_inference_says_why(trained, caplog):
    """By the note, without a flag; in this process, as a server loads it."""
    caplog.set_level(logging.INFO)
    network = built(downsample=patch_merging.PatchMerging)
    load.load_weights(network, str(trained[0] / "models/model.pt"))
    assert "(SwinUNETR; patch merging legacy, by its note; trained with" in caplog.messages[-1]
