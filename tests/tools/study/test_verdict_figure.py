"""Figure of the planned test: a row for each comparison, with or without runs."""

from pathlib import Path

import numpy as np
from PIL import Image
from study_stub import finished_study

from tools.study.hypothesis import Comparison
from tools.study.verdict_figure import draw_test, label

TEST = {"factor": "start", "baseline": "scratch", "cell": {"value": 0.25}, "pairs": "seed"}
SEEDS = ("0", "1", "2")


COLOURS = {"scratch": (0x0B, 0x6B, 0xCB), "given": (0xD1, 0x49, 0x5B)}  # in the study's figure


def drawn(folder: Path, *comparisons: Comparison) -> dict[str, np.ndarray]:
    """Columns of the pixels in the colour of each level."""
    study = finished_study(folder)
    study.content["test"] = TEST
    with Image.open(draw_test(study, list(comparisons))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return {name: np.nonzero((pixels == colour).all(-1))[1] for name, colour in COLOURS.items()}


def test_gains_lie_right_of_losses_in_the_colours_of_the_study(tmp_path):
    gain = Comparison("given", SEEDS, {"0": (0.6, 0.5), "1": (0.8, 0.5)}, 0.5, 0.5)
    loss = Comparison("scratch", SEEDS, {"0": (0.4, 0.5), "1": (0.3, 0.5)}, 0.5, 0.5)
    columns = drawn(tmp_path, gain, loss)
    assert columns["scratch"].max() < columns["given"].min()


def test_a_level_without_runs_keeps_its_row_and_its_count(tmp_path):
    comparison = Comparison("given", SEEDS)
    assert not drawn(tmp_path, comparison)["given"].size
    assert label(comparison) == "0 of 3 pairs"
    whole = Comparison("given", SEEDS, {s: (1.0, 0.5) for s in SEEDS}, 0.25, 0.25)
    assert label(whole) == "3 of 3 pairs, p 0.250"
