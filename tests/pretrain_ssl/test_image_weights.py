"""Trainings that start from weights of images and videos, as a user begins them."""

import pytest
import torch
from bundle_runs import copy_bundle, run_here
from weight_layouts import built_of_images, copied, microsoft, saved

pytestmark = pytest.mark.slow
ARCHITECTURE = {"depths": "[1,1,2,1]", "window_size": "[4,4,4]", "patch_norm": "True"}


@pytest.fixture
def images(tmp_path) -> str:
    """A file as ImageNet's, of the demo's size but for one block more in the third stage."""
    network = built_of_images(depths=[1, 1, 2, 1], window_size=[4, 4])
    return saved(tmp_path / "swin_tiny_patch4_window7_224.pth", microsoft(copied(network)))


def test_pre_training_and_fine_tuning_begin_with_it(images, phantoms, tmp_path):
    node = {"pretrain_ssl": "network_def::encoder", "btcv_segmentation": "network_def"}
    data = {"pretrain_ssl": "corpus", "btcv_segmentation": "btcv"}
    length = {
        "pretrain_ssl": ["--iterations", 1, "--iterations_per_epoch", 1, "--batch_size", 2],
        "btcv_segmentation": ["--epochs", 1, "--val_interval", 1],
    }
    for name, path in node.items():
        bundle = copy_bundle(name, tmp_path)
        flags = ["--dataset_dir", phantoms / data[name], "--pretrained", images, *length[name]]
        refused = run_here(bundle, "train demo", *flags, check=False)
        assert refused.returncode == 1
        assert f'give --{path}::depths "[1,1,2,1]" --{path}::patch_norm True' in refused.stderr
        for knob, value in ARCHITECTURE.items():
            flags += [f"--{path}::{knob}", value]
        done = run_here(bundle, "train demo", *flags)
        told = done.stdout + done.stderr
        assert "named as by the authors, inflated; patch merging current" in told
        rest = "heads" if name == "pretrain_ssl" else "decoder"
        assert f"swinViT.layers4.0.downsample (3 tensors) and {rest} from scratch" in told
        state = torch.load(bundle / "models/model.pt", weights_only=True)
        assert state["swinViT.patch_embed.norm.weight"].shape == (12,)
        assert state._metadata["trained_with"]["merging"] == "current"


def test_pre_training_goes_on_from_a_segmentation_of_phantoms(finetuned, phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    flags = ["--dataset_dir", phantoms / "corpus", "--iterations", 1, "--iterations_per_epoch", 1]
    flags += ["--batch_size", 2, "--pretrained", finetuned[0] / "models/model.pt"]
    done = run_here(bundle, "train demo", *flags)
    assert "encoder 70 of 70 tensors from" in done.stdout + done.stderr
