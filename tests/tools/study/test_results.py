"""Results of a study: means, spreads and paired gains by hand, the table, the CSV, the figure."""

import copy
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.study.config import read_study
from tools.study.figure import draw
from tools.study.grid import Study
from tools.study.results import Spread, gain, panels, read_results, scores, shown, table
from tools.study.results_file import write_rows

sys.path.insert(0, str(Path(__file__).parent))
import study_stub  # noqa: E402

# By start and value; one of seed 0, one of seed 1. The gains are 0.1, 0.2 and 0.3, 0.1.
DICE = {
    ("scratch", "0.25"): (0.2, 0.4),
    ("scratch", "0.5"): (0.5, 0.7),
    ("given", "0.25"): (0.3, 0.6),
    ("given", "0.5"): (0.8, 0.8),
}


def a_study(folder: Path, figure: dict | None = None, leave_out: tuple = ()) -> Study:
    """The stub's study as if it had been run, with the Dice above."""
    content = copy.deepcopy(study_stub.CONFIG)
    content["figure"] |= figure or {}
    content["figure"] = {n: v for n, v in content["figure"].items() if v is not None}
    (folder / "study.json").write_text(json.dumps(content))
    study = read_study(str(folder / "study.json"), str(folder / "out"), {})
    for run in study.runs:
        dice = DICE[run["start"], run["value"]][int(run["seed"])]
        path = study.result(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        if (run["start"], run["value"], run["seed"]) not in leave_out:
            path.write_text(json.dumps({"mean_dice": dice, "dice": {"liver": 1.0, "aorta": None}}))
    return study


def test_spread_is_the_sample_standard_deviation():
    spread = Spread((0.1, 0.2, 0.3))
    assert spread.mean == pytest.approx(0.2) and spread.sd == pytest.approx(0.1)
    assert spread.text() == "0.200 ± 0.100" and spread.text("+") == "+0.200 ± 0.100"
    assert Spread((0.5,)).text() == "0.500" and np.isnan(Spread((0.5,)).sd)


def test_gain_pairs_runs_of_one_seed():
    found = gain({"0": 0.8, "1": 0.8, "3": 0.1}, {"0": 0.5, "1": 0.7, "2": 0.9})
    assert found.values == pytest.approx((0.3, 0.1))
    assert gain({"0": 1.0}, {"1": 1.0}) is None


def test_table_has_means_and_the_paired_gain_at_each_level(tmp_path):
    study = a_study(tmp_path, {"x_format": "{x:.0%}"})
    text = table(study, scores(study, read_results(study)))
    assert text.splitlines() == [
        "value  scratch        given          gain of given   runs",
        "25%    0.300 ± 0.141  0.450 ± 0.212  +0.150 ± 0.071  4",
        "50%    0.600 ± 0.141  0.800 ± 0.000  +0.200 ± 0.141  4",
    ]


def test_without_lines_the_gain_is_over_the_first_level(tmp_path):
    study = a_study(tmp_path, {"x": "start", "lines": None, "kind": "bars"})
    rows = [row for row in read_results(study) if row["value"] == "0.25"]
    lines = table(study, scores(study, rows)).splitlines()
    assert lines[0].split() == "start mean Dice gain over scratch runs".split()
    assert lines[1].split() == "scratch 0.300 ± 0.141 - 2".split()
    assert lines[2].split() == "given 0.450 ± 0.212 +0.150 ± 0.071 2".split()


def test_lines_may_be_combinations_of_factors(tmp_path):
    study = a_study(tmp_path, {"x": "seed", "lines": ["start", "value"], "repeats": None})
    found = scores(study, read_results(study))
    assert list(found)[0] == "start scratch, value 0.25" and len(found) == 4
    assert found["start given, value 0.5"] == {"0": {"": 0.8}, "1": {"": 0.8}}


def test_factors_that_the_figure_does_not_name_are_repeats(tmp_path):
    study = a_study(tmp_path, {"x": "start", "lines": None, "kind": "bars"})
    found = scores(study, read_results(study))
    assert found[""]["given"] == {"0.25, 0": 0.3, "0.25, 1": 0.6, "0.5, 0": 0.8, "0.5, 1": 0.8}


def test_csv_has_a_row_for_each_run_and_the_figures_come_from_what_there_is(tmp_path):
    study = a_study(tmp_path, leave_out=[("given", "0.5", "0"), ("given", "0.5", "1")])
    rows = read_results(study)
    write_rows(tmp_path / "out/results.csv", rows)
    with (tmp_path / "out/results.csv").open() as file:
        written = list(csv.DictReader(file))
    assert len(written) == 6
    assert written[0] == {
        **{"start": "scratch", "value": "0.25", "seed": "0"},
        **{"mean_dice": "0.2", "liver": "1.0", "aorta": ""},
        **{"before_seconds": "", "train_seconds": "", "evaluate_seconds": ""},
        "made_by": written[0]["made_by"],
    }
    found = scores(study, rows)
    assert table(study, found).splitlines()[2].split()[-3:] == ["-", "-", "2"]
    draw(study, {"": found})


def test_no_result_and_a_damaged_one_are_told(tmp_path):
    study = a_study(tmp_path)
    study.result(study.runs[0]).write_text("{}")
    with pytest.raises(SystemExit, match="scratch_value-0.25_seed-0/summary.json is no evaluat"):
        read_results(study)
    for run in study.runs:
        study.result(run).unlink()
    with pytest.raises(SystemExit, match="out has no result yet"):
        read_results(study)


def colours(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as picture:
        return set(map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3)))


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_figure_shows_every_line_in_its_colour(tmp_path, kind):
    study = a_study(tmp_path, {"kind": kind})
    path = draw(study, panels(study, read_results(study)))
    assert path == tmp_path / "out/figure.png"
    drawn = colours(path)
    assert {(0x0B, 0x6B, 0xCB), (0xD1, 0x49, 0x5B)} <= drawn  # the first two of compare_runs
    assert (0x2A, 0x9D, 0x8F) not in drawn


def test_each_level_of_panels_has_a_panel_and_a_table_of_its_own(tmp_path):
    study = a_study(tmp_path, {"panels": "value", "x": "seed"})
    rows = read_results(study)
    found = panels(study, rows)
    assert list(found) == ["value 0.25", "value 0.5"]
    for name, each in found.items():
        own = [row for row in rows if f"value {row['value']}" == name]
        assert each == scores(study, own) and set(each["scratch"]["0"]) == {""}
    with (
        Image.open(draw(study, found)) as two,
        Image.open(draw(study, {"": found["value 0.5"]})) as one,
    ):
        assert two.width == 2 * one.width


def test_names_stay_names_and_numbers_get_their_form(tmp_path):
    study = a_study(tmp_path, {"x_format": "{x:,.0f}"})
    assert shown(study, "5050") == "5,050" and shown(study, "scratch") == "scratch"
