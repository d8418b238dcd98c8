"""Configs of a task: the workflow with the task's knobs and lists in it."""

import json

import pytest

from tools.repo.specialise import specialise, specialise_text

WORKFLOW = {
    "_desc_": "python -m monai.bundle run --config_file configs/{name}.json",
    "dataset_dir": "/data/{name}",
    "_task_": ["name", "spacing_mm"],
    "intensity_transforms": [],
    "epochs": 5,
}
TASK = {
    "_desc_": "add this overlay",
    "unused": 1,
    "spacing_mm": [1, 2, 3],
    "name": "Spleen",
    "hu_min": -100,
    "intensity_transforms": [{"a_min": "@hu_min"}],
}


def test_knobs_stand_at_the_mark_in_its_order_and_those_that_lists_refer_to_after_them():
    config = specialise(WORKFLOW, TASK)
    assert list(config) == [
        *("_desc_", "dataset_dir"),
        *("name", "spacing_mm", "hu_min"),
        *("intensity_transforms", "epochs"),
    ]
    assert (config["name"], config["spacing_mm"], config["hu_min"]) == ("Spleen", [1, 2, 3], -100)


def test_lists_of_the_task_replace_those_of_the_workflow():
    config = specialise(WORKFLOW, TASK)
    assert config["intensity_transforms"] == [{"a_min": "@hu_min"}] and config["epochs"] == 5
    without = {key: value for key, value in TASK.items() if key != "intensity_transforms"}
    config = specialise(WORKFLOW, without)
    assert config["intensity_transforms"] == [] and "hu_min" not in config


def test_the_tasks_name_is_filled_in():
    config = specialise(WORKFLOW, TASK)
    assert config["_desc_"] == "python -m monai.bundle run --config_file configs/Spleen.json"
    assert config["dataset_dir"] == "/data/Spleen"


@pytest.mark.parametrize("lacking", [["spacing_mm"], ["name", "spacing_mm"]])
def test_knobs_that_a_task_lacks_are_named(lacking):
    task = {key: value for key, value in TASK.items() if key not in lacking}
    with pytest.raises(ValueError, match=f"has no {', '.join(lacking)}; add it"):
        specialise(WORKFLOW, task)


def test_nothing_is_left_of_the_mark_and_the_arguments_stay_as_they_were():
    workflow, task = json.dumps(WORKFLOW), json.dumps(TASK)
    assert "_task_" not in specialise(WORKFLOW, TASK)
    assert (json.dumps(WORKFLOW), json.dumps(TASK)) == (workflow, task)


def test_blank_lines_and_the_spelling_of_numbers_are_kept():
    workflow = """{
    "_desc_": "for {name}",

    "_task_": ["name", "rate"],

    "epochs": 5,
    "decay": 1e-5
}
"""
    assert (
        specialise_text(workflow, '{"rate": 4e-4, "name": "Spleen"}')
        == """{
    "_desc_": "for Spleen",

    "name": "Spleen",
    "rate": 4e-4,

    "epochs": 5,
    "decay": 1e-5
}
"""
    )
