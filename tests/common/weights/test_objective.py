"""The objective of a pre-training in the note: another one is refused with its overlay."""

import logging
import re

import pytest
import torch
from helpers import BUNDLES
from monai.bundle import ConfigParser
from weight_layouts import built, saved

from common.weights import (
    commands,
    load,
    objective,
    preprocessing_note,
    preprocessing_of,
    pretrained,
)

CT = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}


def trained(**note) -> torch.nn.Module:
    network = built()
    preprocessing_note.attach_metadata(network, CT | note)
    return network


@pytest.mark.parametrize(
    ("of_file", "of_run", "remedy"),
    [
        (
            "masked",
            objective.DEFAULT,
            "add configs/objectives/masked.json to --config_file, as its first line shows",
        ),
        (objective.DEFAULT, "masked", "leave configs/objectives/masked.json out of --config_file"),
        (
            "masked",
            "mine",
            "give configs/objectives/masked.json as its first line shows, and not "
            "configs/objectives/mine.json",
        ),
    ],
)
def test_another_objective_is_refused_by_both_names_and_the_overlay(
    refusal, tmp_path, of_file, of_run, remedy
):
    path = saved(tmp_path / "model.pt", trained(objective=of_file).state_dict())
    words = f"by the objective {of_file}, and this config is of {of_run}; {remedy}, or give other"
    with refusal(rf"model\.pt was pre-trained {re.escape(words)} weights by --ckpt_path"):
        load.load_weights(built(feature_size=24), path, CT | {"objective": of_run})


@pytest.mark.parametrize("of_file", [{}, {"objective": "masked"}])
@pytest.mark.parametrize("of_run", [{}, {"objective": "masked"}])
def test_a_note_of_before_is_of_any_objective(tmp_path, of_file, of_run):
    path = saved(tmp_path / "model.pt", trained(**of_file).state_dict())
    load.load_weights(built(), path, CT | of_run)


def test_the_default_is_that_of_the_config():
    for config in ("train", "inference"):
        content = ConfigParser.load_config_file(BUNDLES / f"pretrain_ssl/configs/{config}.json")
        assert content["objective"] == objective.DEFAULT


def test_the_start_of_a_training_and_inspect_tell_objective_crops_and_iterations(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    note = preprocessing_of([], objective="masked", patch_size=(96, 96, 64))
    state = trained(**note).state_dict()
    preprocessing_note.add_to_note(state, iterations=500)
    path = saved(tmp_path / "encoder.pt", state)
    pretrained.load_pretrained(built(), path, CT)
    words = "objective masked, crops 96 x 96 x 64, 500 iterations"
    assert f"(SwinUNETR; {words}; patch merging current, by its note; " in caplog.messages[-1]
    assert re.search(f"^training +{words}$", commands.inspect(path), re.M)


HIDDEN = {"mask_ratio": 0.7, "mask_unit": [16, 16, 16]}


def knobs(**changed) -> dict:
    """The note of a training of masked units."""
    note = preprocessing_of([], objective="masked", objective_knobs=HIDDEN | changed)
    del note["intensity"]
    return CT | note


def test_other_knobs_of_the_objective_are_told_in_one_warning(tmp_path, caplog):
    path = saved(tmp_path / "model.pt", trained(**knobs()).state_dict())
    load.load_weights(built(), path, knobs(mask_ratio=0.5, mask_unit=(16, 16, 8)))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    words = "mask_ratio 0.7, here 0.5 and mask_unit [16, 16, 16], here [16, 16, 8]"
    assert warnings == [f"{path} was pre-trained with {words}"]


@pytest.mark.parametrize(
    ("of_file", "of_run"),
    [
        (knobs(), knobs(mask_unit=(16, 16, 16))),  # the same, as another kind of sequence
        (CT | {"objective": "masked"}, knobs(mask_ratio=0.1)),  # written before there were any
        (knobs(mask_ratio=0.1), CT | {"objective": "masked"}),
        (knobs(), CT | {"objective_knobs": {"another": 1}}),
    ],
)
def test_equal_knobs_and_a_note_without_them_say_nothing(tmp_path, caplog, of_file, of_run):
    path = saved(tmp_path / "model.pt", trained(**of_file).state_dict())
    load.load_weights(built(), path, of_run)
    assert "pre-trained with" not in caplog.text


def test_a_state_dict_without_a_note_gets_none():
    state = built().state_dict()
    preprocessing_note.add_to_note(state, iterations=500)
    assert preprocessing_note.read_metadata(state) is None
    preprocessing_note.add_to_note({}, iterations=500)


def test_the_remedy_for_a_whole_network_of_a_pretraining_names_the_encoders_node(refusal, tmp_path):
    path = saved(tmp_path / "model.pt", trained(objective="masked").state_dict())
    run = CT | {"objective": "masked"}
    with refusal("give --network_def::encoder::embed_dim 12, or other weights"):
        load.load_weights(built(feature_size=24), path, run)
    with refusal("give --network_def::encoder::embed_dim 12, or other weights"):
        pretrained.load_pretrained(built(feature_size=24), path, run)
