"""The last lines of a run: the peak memory, and again what was left out at its beginning."""

import json
import logging
import re

import pytest
from helpers import ROOT
from ignite.engine import Engine, Events

from common.data import image_folder
from common.runtime import end_of_run

CONFIGS = [
    path
    for folder in ("bundles/*/configs", "common/configs/segmentation")
    for name in ("train", "inference", "evaluate")
    for path in sorted(ROOT.glob(f"{folder}/{name}.json"))
]


@pytest.fixture
def ended(caplog, monkeypatch):
    """`ended()`: the lines of an engine's run whose other handler sums up at the end."""
    monkeypatch.setattr(end_of_run, "_lines", {})
    caplog.set_level(logging.INFO)

    def run(engine: Engine) -> list[str]:
        engine.state.device = "cpu"
        engine.run([0], max_epochs=1)
        records = [one for one in caplog.records if not one.name.startswith("ignite")]
        return [record.message for record in records]

    return run


def engine_with_summary() -> Engine:
    engine = Engine(lambda engine, batch: None)
    end_of_run.EndOfRun().attach(engine)
    engine.add_event_handler(Events.COMPLETED, lambda: logging.info("the summary"))
    return engine


def test_what_was_left_out_is_said_again_behind_all_other_lines(ended, tmp_path):
    (tmp_path / "packed.zip").touch()
    image_folder.find_in_folder(tmp_path).log()
    image_folder.find_in_folder(tmp_path).log()
    line = f"left out of {tmp_path}: 1 (packed.zip): packed: unpack it"
    first, second, summary, memory, last = ended(engine_with_summary())
    assert first == second == last == line and summary == "the summary"
    assert re.fullmatch(r"peak memory \d+\.\d\d GiB", memory)


def test_where_nothing_was_left_out_nothing_is_said(ended, tmp_path):
    (tmp_path / "ct.nii").touch()
    image_folder.find_in_folder(tmp_path).log()
    summary, memory = ended(engine_with_summary())
    assert summary == "the summary" and memory.startswith("peak memory")


def test_a_second_run_says_only_its_own(ended, tmp_path, caplog):
    (tmp_path / "packed.zip").touch()
    engine = engine_with_summary()
    image_folder.find_in_folder(tmp_path).log()
    assert len(ended(engine)) == 4
    caplog.clear()
    assert [line.split()[0] for line in ended(engine)] == ["the", "peak"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_every_engine_ends_so(path):
    config = json.loads(path.read_text())
    sections = {
        "train": config.get("train", {}).get("handlers"),
        "inference": config.get("handlers"),
        "evaluate": config.get("validate::handlers"),
    }
    targets = [handler["_target_"] for handler in sections[path.stem]]
    assert targets.count("scripts.common.runtime.EndOfRun") == 1
