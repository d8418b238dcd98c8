"""Every overlay of an objective: trained, evaluated, inferred, exported and verified, in small."""

import json
from pathlib import Path

import pytest
import torch
from bundle_runs import copy_bundle, last_line, run_here
from helpers import BUNDLES
from monai.bundle import ConfigParser, verify_net_in_out
from monai.networks.nets import SwinUNETR

from common.weights import preprocessing_note, pretrained
from tools.benchmark.objectives import NAMES, overlays_of

FAST = ("masked",)  # one in the fast tests; minutes for all
OTHER_KNOB = {"masked": ["--mask_ratio", 0.5]}  # of the inference
RESTORED = {"corrupted.nii.gz", "reconstruction.nii.gz", "triptych.png"}
PICTURES = {  # of what restores no image
    "volume_fusion": {"fusion.png"},
    "position": {"position.png"},
}
# metadata.json tells of an image restored in one channel; a fusion has a channel for each level,
# and the position alone gives the encoder's last stage
CHANNELS = "_meta_::network_data_format::outputs::pred::num_channels"
LEVELS = {"volume_fusion": {CHANNELS: 5}, "position": {CHANNELS: 192}}
SMALL = ["--iterations", 2, "--iterations_per_epoch", 2, "--batch_size", 2, "--log_interval", 1]


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_opens_with_its_command_and_sets_its_own_name(name):
    files = [f"configs/{overlay}.json" for overlay in ("train", *overlays_of(name))]
    config = ConfigParser.load_config_files([BUNDLES / "pretrain_ssl" / file for file in files])
    assert config["objective"] == name


@pytest.mark.parametrize("name", NAMES)
def test_training_and_inference_note_the_same_knobs(name):
    """Each is a plain value, and the overlay of an objective that hides anything names some."""
    notes = []
    for config in ("train", "inference"):
        files = [f"configs/{overlay}.json" for overlay in (config, *overlays_of(name), "demo")]
        content = ConfigParser.load_config_files([BUNDLES / "pretrain_ssl" / f for f in files])
        notes.append(ConfigParser(content).get_parsed_content("objective_knobs"))
    training, inference = notes
    assert bool(inference) == (name != "position")
    assert inference == training
    assert set(map(type, training.values())) <= {int, float, list}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_train_evaluate_infer_export_and_verify(name, phantoms, tmp_path, load_scripts):
    bundle, overlays = copy_bundle("pretrain_ssl", tmp_path), overlays_of(name)
    corpus = phantoms / "corpus"
    configs = " ".join(["train", *overlays, "demo"])
    run_here(bundle, configs, "--dataset_dir", corpus, *SMALL)
    state = torch.load(bundle / "models/model.pt", weights_only=True)
    note = preprocessing_note.read_metadata(state)
    assert note["objective"] == name and note["iterations"] == 2
    assert bool(note.get("objective_knobs")) == (name != "position")
    assert note["patch_size"] == [64, 64, 32] and note["spacing_mm"] == [5.0, 5.0, 5.0]

    done = run_here(bundle, f"{configs} evaluate", "--dataset_dir", corpus)
    assert "was pre-trained with" not in done.stdout + done.stderr
    metrics = json.loads((bundle / "evaluation/metrics.json").read_text())
    assert set(metrics["chance"]) <= set(metrics) and metrics["chance"]
    image = min(corpus.rglob("*.nii*"))
    inference = " ".join(["inference", *overlays, "demo"])
    other_knob = OTHER_KNOB.get(name, [])
    done = run_here(bundle, inference, "--dataset_dir", image, *other_knob)
    warnings = (done.stdout + done.stderr).count("model.pt was pre-trained with mask_ratio 0.7, ")
    assert warnings == bool(other_knob)
    written = {path.name for path in (bundle / "predictions").iterdir()}
    content = ConfigParser.load_config_files(paths(bundle, inference))
    stem = image.name.split(".nii")[0]
    targets = PICTURES.get(name, RESTORED if content["corrupt"] else set())
    assert written == {"embeddings.csv", *(f"{stem}_{kind}" for kind in targets)}
    embeddings = (bundle / "predictions/embeddings.csv").read_text()
    flags = ["--dataset_dir", image, "--ckpt_path", bundle / "models/model.pt"]
    flags += ["--spacing_mm", "[5.0,5.0,5.0]", "--patch_size", "[64,64,32]"]
    done = run_here(bundle, "embeddings", *flags)
    assert f"models/model.pt ({layout_of(state)}" in done.stdout + done.stderr
    assert (bundle / "predictions/embeddings.csv").read_text() == embeddings
    other = "train demo evaluate" if overlays else "train objectives/heads_paper demo evaluate"
    refused = run_here(bundle, other, "--dataset_dir", corpus, check=False)
    assert refused.returncode == 1
    assert f"was pre-trained by the objective {name}, and" in last_line(refused.stderr)

    run_here(bundle, "export_encoder")
    check_exported(bundle / "models", state)
    plain = torch.load(bundle / "models/encoder.pt", weights_only=True)
    run_here(bundle, " ".join(["export_encoder", *overlays, "demo"]))
    check_exported(bundle / "models", state)
    again = torch.load(bundle / "models/encoder.pt", weights_only=True)
    assert plain.keys() == again.keys() and all(map(torch.equal, plain.values(), again.values()))
    other = "disrupted" if name != "disrupted" else "masked"
    refused = run_here(bundle, f"export_encoder objectives/{other}", check=False)
    assert refused.returncode == 1
    assert f"was pre-trained by the objective {name}, and" in last_line(refused.stderr)
    load_scripts("pretrain_ssl")
    verify_net_in_out(
        "network_def",
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=paths(bundle, inference),
        device="cpu",
        patch_size=[96, 96, 96],
        **LEVELS.get(name, {}),
    )


def layout_of(state: dict) -> str:
    has_head = any(name.startswith("reconstruction_head.") for name in state)
    return "pre-training of this project" if has_head else "SwinUNETR"


def paths(bundle: Path, configs: str) -> list[str]:
    return [str(bundle / f"configs/{name}.json") for name in configs.split()]


def check_exported(folder: Path, state: dict) -> None:
    """Every tensor of the exported files is in a SwinUNETR that starts from them."""
    has_decoder = any(name.startswith("decoder1.") for name in state)
    assert (folder / "network.pt").exists() == has_decoder
    for name in ("encoder", "network") if has_decoder else ("encoder",):
        network = SwinUNETR(1, 14, feature_size=12, depths=(1, 1, 1, 1), window_size=4)
        expected = set(network.state_dict()) - {"out.conv.conv.weight", "out.conv.conv.bias"}
        if name == "encoder":
            expected = {key for key in expected if key.startswith("swinViT.")}
        exported = torch.load(folder / f"{name}.pt", weights_only=True)
        assert set(exported) == expected
        pretrained.load_pretrained(network, str(folder / f"{name}.pt"))
        own = network.state_dict()
        assert all(torch.equal(own[key], state[key]) for key in expected)
