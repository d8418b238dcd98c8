"""Volume fusion by its overlay: the picture of an inference, and whole runs."""

import csv
import json

import numpy as np
import pytest
import torch
from bundle_runs import copy_bundle, run_here
from helpers import config_files, write_nifti
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR
from objective_runs import SHORT, check_resumes_exactly, run_two_processes
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.functional import one_hot

from common.weights.pretrained import load_pretrained

OVERLAY = "objectives/volume_fusion"
QUARTERS = {0, 64, 128, 191, 255}  # grey levels of 0, 1/4, … 1


def panels(path) -> list[np.ndarray]:
    """Intact, fused, true and predicted map of a picture."""
    return np.hsplit(np.asarray(Image.open(path)), 4)


def test_the_picture_has_the_true_map_beside_the_predicted_one(scripts, tmp_path):
    hu = np.random.default_rng(0).integers(-400, 900, (64, 64, 40)).astype(np.int16)
    path = write_nifti(tmp_path / "ct/case.nii.gz", hu, spacing_mm=(5.0, 5.0, 5.0))
    parser = ConfigParser()
    parser.read_config(config_files("pretrain_ssl", "inference", OVERLAY, "demo"))
    parser["dataset_dir"], parser["output_dir"] = str(tmp_path / "ct"), str(tmp_path / "out")
    parser.parse()
    case = parser.get_parsed_content("preprocessing")({"image": path})
    levels = (4 * case["fusion_map"]).round().long()
    levels[:, :32] = 2  # predicted at the patient's left, for all voxels
    case["pred"] = one_hot(levels[0], 5).movedim(-1, 0).float()
    parser.get_parsed_content("postprocessing")(case)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["case_fusion.png"]
    intact, fused, true, predicted = panels(tmp_path / "out/case_fusion.png")
    assert intact.shape == (64, 64) and {0, 255} < set(np.unique(true)) <= QUARTERS
    assert np.array_equal(predicted[:, :32], true[:, :32]) and (predicted[:, 32:] == 128).all()
    assert np.array_equal(fused[true == 255], intact[true == 255])
    assert (fused[true == 0] != intact[true == 0]).mean() > 0.9


@pytest.mark.slow
def test_trains_resumes_exactly_evaluates_infers_and_exports(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    data = ["--dataset_dir", phantoms / "corpus"]
    check_resumes_exactly(bundle, f"train {OVERLAY} demo", *data, *SHORT, iteration=2)
    events = EventAccumulator(str(bundle / "runs/demo/tensorboard"), size_guidance={"images": 0})
    drawn = events.Reload().Images("validation/fused_true_predicted")
    assert {event.step for event in drawn} == {2, 4}  # each validation
    assert {(event.width, event.height) for event in drawn} == {(3 * 64, 2 * 64)}  # of two crops

    run_here(bundle, f"train {OVERLAY} demo evaluate", *data, "--evaluate_on", "all")
    metrics = json.loads((bundle / "evaluation/metrics.json").read_text())
    names = {"fusion_dice", "fusion_accuracy", "distinct_accuracy", "mixture_accuracy"}
    assert set(metrics) == {"loss", "dice_loss", "cross_entropy_loss", "chance", *names}
    assert set(metrics["chance"]) == names and 0.15 < metrics["chance"]["fusion_dice"] < 0.2
    with (bundle / "evaluation/views.csv").open(newline="") as file:
        assert [row["crop"] for row in csv.DictReader(file)] == ["0", "1"] * 4

    run_here(bundle, f"inference {OVERLAY} demo", *data)
    assert (bundle / "predictions/embeddings.csv").read_text().count("\n") == 5
    pictures = sorted((bundle / "predictions").rglob("*_fusion.png"))
    assert len(pictures) == 4
    for picture in pictures:
        _, _, true, predicted = panels(picture)
        assert set(np.unique(true)) <= QUARTERS and set(np.unique(predicted)) <= QUARTERS

    run_here(bundle, "export_encoder")
    check_network(bundle)


def check_network(bundle) -> None:
    """A segmentation takes every tensor but those of the output layer, bit for bit."""
    trained = torch.load(bundle / "models/model.pt", weights_only=True)
    network = SwinUNETR(1, 14, feature_size=12, depths=(1, 1, 1, 1), window_size=4)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    load_pretrained(network, str(bundle / "models/network.pt"))
    output_layer = {"out.conv.conv.weight", "out.conv.conv.bias"}
    for name, value in network.state_dict().items():
        assert torch.equal(value, (fresh if name in output_layer else trained)[name]), name
    exported = torch.load(bundle / "models/network.pt", weights_only=True)
    assert set(exported) == set(trained) - output_layer == set(fresh) - output_layer


@pytest.mark.slow
def test_two_processes_train_every_parameter(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    rows = run_two_processes(bundle, OVERLAY, phantoms / "corpus")
    assert {"validation/fusion_dice", "train/fusion_dice"} <= {row["name"] for row in rows}
