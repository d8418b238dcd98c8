"""Knobs of all configs: each has an entry in the schema, which its own defaults satisfy."""

import json

import pytest
from helpers import BUNDLES

from common.cli.kinds import describe, is_valid
from common.cli.knobs import node_at, schema

FILES = [
    path
    for path in sorted(BUNDLES.glob("*/configs/**/*.json"))
    if path.name not in ("metadata.json", "mlflow.json")
]
# Keys with plain values or expressions that are parts of the workflow, not knobs
PARTS = {
    *("imports", "initialize", "run", "finalize", "trained_with", "transfer", "run_folder"),
    *("labelled_data", "splitting", "resampled_keys", "resampling_modes", "train_handlers"),
    *("deterministic_transforms", "spatial_transforms", "intensity_transforms", "random_crop"),
    *("augmentation", "corrupt", "handlers", "cache", "objective_knobs", "network_def"),
}


def knobs_of(content: dict) -> dict:
    """The top keys of a config that hold no component, by their values.

    So are arguments of components that have an entry of their own, such as `network_def::a::b`.
    """
    nested = {name: node_at(content, name) for name in schema()["properties"] if "::" in name}
    nested |= {name: content[name] for name in nested if name in content}
    return {name: value for name, value in nested.items() if value is not None} | {
        key: value
        for key, value in content.items()
        if not key.startswith(("_", "+"))
        and "::" not in key
        and key not in PARTS
        and not (isinstance(value, dict) and ("_target_" in value or key in ("train", "validate")))
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BUNDLES)))
def test_every_knob_has_an_entry_that_its_default_satisfies(path):
    entries = schema()["properties"]
    knobs = knobs_of(json.loads(path.read_text()))
    assert [key for key in knobs if key not in entries] == []
    assert [key for key, value in knobs.items() if not is_valid(value, entries[key])] == []


def test_every_entry_is_a_knob_and_says_what_it_is():
    used = set().union(*(knobs_of(json.loads(path.read_text())) for path in FILES))
    entries = schema()["properties"]
    assert set(entries) - used == set()
    for name, entry in entries.items():
        assert entry["description"] and describe(entry), name
        assert not is_valid(object(), entry), f"{name} takes anything"
