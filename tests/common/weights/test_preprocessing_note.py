"""Spacing and intensity range travel with weights, and are compared where these are used."""

import logging
from copy import deepcopy

import pytest
import torch
from monai.transforms import NormalizeIntensityd, ScaleIntensityRanged, Spacingd
from weight_layouts import built, saved

from common.weights import load, preprocessing_note, pretrained
from common.weights import preprocessing_of as preprocessing_note_of

CT = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}
PRETRAINED = {"spacing_mm": [1.5, 1.5, 1.5], "intensity_min": -1000, "intensity_max": 1000}
TASK = {
    "spacing_mm": [0.79, 0.79, 1.6],
    "intensity_min": -41,
    "intensity_max": 176,
    "intensity_mean": 99.29,
    "intensity_sd": 39.47,
}
MRI = TASK | dict.fromkeys([key for key in TASK if key.startswith("intensity")])


def trained(trained_with: dict) -> torch.nn.Module:
    network = built()
    preprocessing_note.attach_metadata(network, trained_with)
    return network


def test_every_state_dict_carries_it_through_a_file(tmp_path):
    network = trained(CT)
    for one in (network, deepcopy(network)):
        path = saved(tmp_path / "a.pt", {"network": one.state_dict()})
        state = torch.load(path, weights_only=True)["network"]
        assert preprocessing_note.read_metadata(state) == CT | {"merging": "current"}
        built().load_state_dict(state)
    assert preprocessing_note.read_metadata(built().state_dict()) is None
    assert preprocessing_note.read_metadata({}) is None


def test_file_stays_a_plain_state_dict(tmp_path):
    state = torch.load(saved(tmp_path / "a.pt", trained(CT).state_dict()))
    assert set(state) == set(built().state_dict())
    assert all(isinstance(value, torch.Tensor) for value in state.values())


@pytest.mark.parametrize(
    ("trained_with", "words"),
    [
        (CT, {"spacing": "1.5 x 1.5 x 2 mm", "intensity": "-175 to 250"}),
        (
            TASK,
            {"spacing": "0.79 x 0.79 x 1.6 mm", "intensity": "-41 to 176, mean 99.29, sd 39.47"},
        ),
        (MRI, {"spacing": "0.79 x 0.79 x 1.6 mm", "intensity": "normalised by each image"}),
    ],
    ids=["CT", "task of CT", "task of MRI"],
)
def test_words(trained_with, words):
    assert preprocessing_note.describe(trained_with) == words


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([ScaleIntensityRanged("image", -41, 176, clip=True)], "-41 to 176 as 0 to 1"),
        ([ScaleIntensityRanged("image", -41, 176, 0, 1, clip=True)], "-41 to 176 as 0 to 1"),
        ([ScaleIntensityRanged("image", 0, 9, -1, 1, clip=True)], "0 to 9 as -1 to 1"),
        (
            [NormalizeIntensityd("image", subtrahend=[1, 2], divisor=[3, 4])],
            "NormalizeIntensityd (",
        ),
        ([NormalizeIntensityd("image", subtrahend=1.5, divisor=2)], "mean 1.5, sd 2"),
        ([], "as in the file"),
    ],
)
def test_every_list_of_intensity_transforms_has_words(transforms, words):
    note = preprocessing_note_of([Spacingd("image", pixdim=(1, 1, 2)), *transforms])
    assert preprocessing_note.describe(note)["intensity"].startswith(words)
    without = preprocessing_note_of(transforms)  # nothing resamples: there is no spacing to compare
    assert preprocessing_note.describe_preprocessing_mismatch(note, without).startswith(
        "spacing 1 x 1 x 2 mm, here none"
    )


def test_difference_names_both_and_nothing_where_they_agree():
    difference = preprocessing_note.describe_preprocessing_mismatch
    assert difference(CT, CT) == ""
    assert difference(CT, CT | {"spacing_mm": (1.5, 1.5, 2), "intensity_max": 250.0}) == ""
    assert difference({**CT, "spacing_mm": 2}, {**CT, "spacing_mm": [2, 2, 2.0]}) == ""
    assert difference(CT, CT | {"spacing_mm": [5, 5, 5]}) == (
        "spacing 1.5 x 1.5 x 2 mm, here 5 x 5 x 5 mm"
    )
    both = difference(PRETRAINED, CT)
    assert both.startswith("spacing 1.5 x 1.5 x 1.5 mm, here 1.5 x 1.5 x 2 mm and intensity -1000")
    assert "intensity" in difference(TASK, TASK | {"intensity_sd": 1})
    assert "intensity" in difference(TASK, MRI)


def scaled(low: float, high: float) -> dict:
    """A note of transforms that clip to the range of `CT` and scale it."""
    clip = ScaleIntensityRanged("image", -175, 250, low, high, clip=True)
    return preprocessing_note_of([Spacingd("image", pixdim=(1.5, 1.5, 2)), clip])


def test_two_scales_of_one_range_differ_except_where_a_note_is_old():
    difference = preprocessing_note.describe_preprocessing_mismatch
    unit, as_in_file, other = scaled(0, 1), scaled(-175, 250), scaled(-1, 1)
    assert difference(unit, unit) == difference(as_in_file, as_in_file) == ""
    assert difference(unit, as_in_file) == "intensity -175 to 250 as 0 to 1, here -175 to 250"
    assert difference(as_in_file, unit) == "intensity -175 to 250, here -175 to 250 as 0 to 1"
    assert difference(unit, other).endswith("here -175 to 250 as -1 to 1")
    for note in (unit, as_in_file):  # the scale of an old note is not known
        assert difference(CT, note) == difference(note, CT) == ""
    assert difference(CT, other) == "intensity -175 to 250, here -175 to 250 as -1 to 1"


@pytest.mark.parametrize("change", [{"spacing_mm": [5, 5, 5]}, {"intensity_max": 300}, TASK])
def test_a_network_is_not_run_otherwise_than_it_was_trained(refusal, tmp_path, change):
    path = saved(tmp_path / "model.pt", trained(CT).state_dict())
    load.load_weights(built(), path, CT)
    network = built()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with refusal(r"model\.pt was trained with .*, here .*; give the settings of its training"):
        load.load_weights(network, path, CT | change)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


SPLEEN = {"task": "Task09_Spleen", "labels": {"0": "background", "1": "spleen"}}
HEART = {"task": "Task02_Heart", "labels": {"0": "background", "1": "left atrium"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (HEART, r"for Task02_Heart \(left atrium\), and this run is for Task09_Spleen \(spleen\)"),
        ({"labels": HEART["labels"]}, r"for Task09_Spleen \(left atrium\), and this run is"),
        ({"task": "Mine"}, r"for Mine \(spleen\), and this run is"),
    ],
)
def test_weights_of_another_task_are_refused_by_its_name(refusal, tmp_path, change, words):
    """Where channels, classes, spacing and intensities agree, too."""
    path = saved(tmp_path / "model.pt", trained(TASK | SPLEEN | change).state_dict())
    with refusal(rf"model\.pt was trained {words}"):
        load.network_state(path, built(), TASK | SPLEEN)


@pytest.mark.parametrize(("of_file", "of_run"), [({}, SPLEEN), (SPLEEN, {}), (SPLEEN, SPLEEN)])
def test_a_note_without_a_task_is_of_any(tmp_path, of_file, of_run):
    path = saved(tmp_path / "model.pt", trained(TASK | of_file).state_dict())
    assert load.network_state(path, built(), TASK | of_run)


def test_an_encoder_from_other_settings_is_said_to_be(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = saved(tmp_path / "encoder.pt", trained(PRETRAINED).state_dict())
    pretrained.load_pretrained(built(), path, CT)
    assert (
        "trained with spacing 1.5 x 1.5 x 1.5 mm, here 1.5 x 1.5 x 2 mm and intensity "
        "-1000 to 1000, here -175 to 250" in caplog.messages[-1]
    )
    pretrained.load_pretrained(built(), path, PRETRAINED)
    assert "trained with this spacing and intensity range" in caplog.messages[-1]
    pretrained.load_pretrained(built(), path)
    assert "trained with spacing 1.5 x 1.5 x 1.5 mm and intensity -1000" in caplog.messages[-1]
