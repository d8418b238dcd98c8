"""Figure of a study: every line in a style of its own, a panel for each level of `panels`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_stub import finished_study

from tools.study.figure import draw, styles_of
from tools.study.results import panels, read_results


def colours(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as picture:
        return set(map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3)))


@pytest.mark.parametrize("kind", ["lines", "bars", "points"])
def test_figure_shows_every_line_in_its_colour(tmp_path, kind):
    study = finished_study(tmp_path, {"kind": kind})
    path = draw(study, panels(study, read_results(study)))
    assert path == tmp_path / "out/figure.png"
    drawn = colours(path)
    assert {(0x0B, 0x6B, 0xCB), (0xD1, 0x49, 0x5B)} <= drawn  # the first two of compare_runs
    assert (0x2A, 0x9D, 0x8F) not in drawn


def test_more_lines_than_colours_have_styles_of_their_own():
    styles = styles_of([str(number) for number in range(18)]).values()
    assert len(set(styles)) == 18 and len({style.colour for style in styles}) == 6


def test_a_line_named_after_another_has_its_colour_and_another_mark():
    styles = styles_of(["scratch", "masked", "masked_mae", "masked_mae_long", "maskedly"])
    colours = {name: style.colour for name, style in styles.items()}
    assert colours["masked"] == colours["masked_mae"] == colours["masked_mae_long"]
    assert len({colours[name] for name in ("scratch", "masked", "maskedly")}) == 3
    assert len(set(styles.values())) == len(styles)


def test_each_level_of_panels_has_a_panel_and_all_have_one_legend(tmp_path):
    study = finished_study(tmp_path, {"panels": "value", "x": "seed"})
    found = panels(study, read_results(study))
    with (
        Image.open(draw(study, found)) as two,
        Image.open(draw(study, {"": found["value 0.5"]})) as one,
    ):
        assert two.width == 2 * one.width


def test_a_panel_of_points_is_as_wide_as_it_has_points(tmp_path):
    figure = {"kind": "points", "panels": "start", "lines": "value", "x": "seed"}
    study = finished_study(tmp_path, figure)
    found = panels(study, read_results(study))
    few = {
        name: {line: {"0": runs["0"]} for line, runs in each.items()}
        for name, each in found.items()
    }
    many = {
        name: {f"{line} {i}": runs for line, runs in each.items() for i in range(9)}
        for name, each in found.items()
    }
    with Image.open(draw(study, few)) as narrow, Image.open(draw(study, many)) as wide:
        assert narrow.width < wide.width
    long_titles = {f"{name} of a long title, longer than it": each for name, each in few.items()}
    with Image.open(draw(study, few)) as narrow, Image.open(draw(study, long_titles)) as wide:
        assert narrow.width < wide.width
