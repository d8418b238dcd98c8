"""Config files in a wrong order: what a later one would take back in silence."""

import pytest

from common.cli.command_line import Layer
from common.cli.config_order import check_order
from common.errors import InputError

WORKFLOW = {
    "imports": [],
    "bundle_root": ".",
    "run": [],
    "device": "cpu",
    "datalist": None,
    "network_def": {"_target_": "N", "features": 48, "depths": [2, 2]},
    "validate": {"handlers": [{"_target_": "H", "interval": 1}], "dataset": {"data": 1}},
}


def check(*contents: dict) -> None:
    names = "abcdef"
    check_order([Layer(f"{n}.json", values, {}) for n, values in zip(names, contents)])


@pytest.mark.parametrize(
    "overlays",
    [
        [{"device": "cuda"}, {"device": "cpu"}],  # whole values, as those of demo and evaluate
        [{"network_def::features": 12}, {"validate::dataset::data": 2}],
        [{"network_def::features": 12}, {"network_def::features": 24}],
        [{"network_def": {"features": 24}}, {"network_def::features": 12}],
        [{"network_def::features": 12}, {"network_def": {"_target_": "Exported"}}],  # has none
        [{"network_def::features": 12}, {"network_def": {"features": 12}}],  # the same
        [{"+imports": ["$import os"]}, {"+imports": ["$import re"]}],
        [{"_desc_": "first"}, {"_desc_": "second"}],
        [{"objective": "a", "batch_size": 2}, {"batch_size": 4}, {"device": "cuda"}],
        [{"objective": "a", "batch_size": 2}, {"objective": "b", "batch_size": 4}],  # its preset
    ],
)
def test_overlays_that_leave_what_stands_before_them_pass(overlays):
    check(WORKFLOW, *overlays)


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (
            [WORKFLOW, {"network_def::features": 12}, {"network_def": {"features": 48}}],
            "c.json replaces network_def, of which b.json before it sets network_def::features; "
            "give c.json before b.json in --config_file.",
        ),
        (
            [WORKFLOW, {"validate#dataset#data": 2}, {"validate::dataset": {"data": 1}}],
            "c.json replaces validate::dataset, of which b.json before it sets "
            "validate#dataset#data; give c.json before b.json in --config_file.",
        ),
        (
            [WORKFLOW, {"+imports": ["$import os"]}, {"imports": []}],
            "c.json replaces imports, of which b.json before it sets +imports; give c.json before "
            "b.json in --config_file.",
        ),
        (
            [{"device": "cuda"}, WORKFLOW],
            "b.json replaces device, which a.json before it sets; give b.json before a.json in "
            "--config_file.",
        ),
        (
            [{"datalist": "mine.json"}, WORKFLOW],
            "b.json replaces datalist, which a.json before it sets; give b.json before a.json in "
            "--config_file.",
        ),
        (
            [{"network_def::features": 12}, WORKFLOW],
            "b.json replaces network_def, of which a.json before it sets network_def::features; "
            "give b.json before a.json in --config_file.",
        ),
        (
            [WORKFLOW, {"batch_size": 8}, {"objective": "a", "batch_size": 2}],
            "c.json replaces batch_size, which b.json before it sets; give c.json before b.json in "
            "--config_file.",
        ),
        (
            [WORKFLOW, WORKFLOW],
            "a.json and b.json are both whole workflows; give one of them in --config_file.",
        ),
    ],
)
def test_a_file_that_takes_back_what_stands_before_it_is_refused(contents, sentence):
    with pytest.raises(InputError) as error:
        check(*contents)
    assert str(error.value) == sentence
