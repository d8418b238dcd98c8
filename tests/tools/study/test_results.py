"""Results of a study: means, spreads and paired gains by hand, panels, the CSV."""

import csv

import numpy as np
import pytest
from study_stub import finished_study

from common.errors import InputError
from tools.study.results import Spread, gain, panels, read_results, scores
from tools.study.results_file import write_rows


def test_spread_is_the_sample_standard_deviation():
    spread = Spread((0.1, 0.2, 0.3))
    assert spread.mean == pytest.approx(0.2) and spread.sd == pytest.approx(0.1)
    assert spread.text() == "0.200 ± 0.100" and spread.text("+") == "+0.200 ± 0.100"
    assert Spread((0.5,)).text() == "0.500" and np.isnan(Spread((0.5,)).sd)


def test_gain_pairs_runs_of_one_seed():
    found = gain({"0": 0.8, "1": 0.8, "3": 0.1}, {"0": 0.5, "1": 0.7, "2": 0.9})
    assert found.values == pytest.approx((0.3, 0.1))
    assert gain({"0": 1.0}, {"1": 1.0}) is None


def test_lines_may_be_combinations_of_factors(tmp_path):
    study = finished_study(tmp_path, {"x": "seed", "lines": ["start", "value"]})
    found = scores(study, read_results(study))
    assert list(found)[0] == "start scratch, value 0.25" and len(found) == 4
    assert found["start given, value 0.5"] == {"0": {"": 0.8}, "1": {"": 0.8}}


def test_factors_that_the_figure_does_not_name_are_repeats(tmp_path):
    study = finished_study(tmp_path, {"x": "start", "lines": None, "kind": "bars"})
    found = scores(study, read_results(study))
    assert found[""]["given"] == {"0.25, 0": 0.3, "0.25, 1": 0.6, "0.5, 0": 0.8, "0.5, 1": 0.8}


def test_csv_has_a_row_for_each_run_that_there_is(tmp_path):
    study = finished_study(tmp_path, leave_out=[("given", "0.5", "0"), ("given", "0.5", "1")])
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


def test_no_result_and_a_damaged_one_are_told(tmp_path):
    study = finished_study(tmp_path)
    study.result(study.runs[0]).write_text("{}")
    with pytest.raises(InputError, match="scratch_value-0.25_seed-0/summary.json is no evaluat"):
        read_results(study)
    for summary in ('{"mean_dice": NaN, "dice": {}}', '{"mean_dice": 1, "dice": {"aorta": NaN}}'):
        study.result(study.runs[0]).write_text(summary)
        with pytest.raises(InputError, match="each a finite number"):
            read_results(study)
    study.result(study.runs[0]).write_text('{"mean_dice": 0.5, "dice": [1]}')
    with pytest.raises(InputError, match="is no evaluation's summary"):
        read_results(study)
    for run in study.runs:
        study.result(run).unlink()
    with pytest.raises(InputError, match="out has no result yet"):
        read_results(study)


def test_each_level_of_panels_has_the_scores_of_its_own_runs(tmp_path):
    study = finished_study(tmp_path, {"panels": "value", "x": "seed"})
    rows = read_results(study)
    found = panels(study, rows)
    assert list(found) == ["value 0.25", "value 0.5"]
    for name, each in found.items():
        own = [row for row in rows if f"value {row['value']}" == name]
        assert each == scores(study, own) and set(each["scratch"]["0"]) == {""}
