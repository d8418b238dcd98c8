"""Tables of a study: a row for each level and line; paired gains over first line and panel."""

from study_stub import finished_study

from tools.study.results import panels, read_results
from tools.study.tables import shown, tables


def text_of(study) -> list[str]:
    return tables(study, panels(study, read_results(study))).splitlines()


def test_each_level_and_line_has_its_mean_and_its_paired_gain(tmp_path):
    assert text_of(finished_study(tmp_path, {"x_format": "{x:.0%}"})) == [
        "value  start    mean Dice      gain over scratch  runs",
        "25%    scratch  0.300 ± 0.141  -                  2",
        "25%    given    0.450 ± 0.212  +0.150 ± 0.071     2",
        "50%    scratch  0.600 ± 0.141  -                  2",
        "50%    given    0.800 ± 0.000  +0.200 ± 0.141     2",
    ]


def test_a_level_without_runs_has_no_row_and_a_gain_without_pairs_a_dash(tmp_path):
    left_out = [("given", "0.5", "0"), ("given", "0.5", "1")]
    assert len(text_of(finished_study(tmp_path / "a", leave_out=left_out))) == 4
    left_out = [("given", "0.5", "0"), ("scratch", "0.5", "1")]
    lines = text_of(finished_study(tmp_path / "b", leave_out=left_out))
    assert lines[4].split() == "0.5 given 0.800 - 1".split()


def test_without_lines_the_gain_is_over_the_first_level(tmp_path):
    study = finished_study(tmp_path, {"x": "start", "lines": None, "kind": "bars"})
    assert [line.split() for line in text_of(study)] == [
        "start mean Dice gain over scratch runs".split(),
        "scratch 0.450 ± 0.208 - 4".split(),
        "given 0.625 ± 0.236 +0.175 ± 0.096 4".split(),
    ]


def test_panels_after_the_first_have_gains_over_it_too(tmp_path):
    lines = text_of(finished_study(tmp_path, {"panels": "start", "x": "value", "lines": None}))
    assert lines == [
        "start scratch",
        "value  mean Dice      gain over 0.25  runs",
        "0.25   0.300 ± 0.141  -               2",
        "0.5    0.600 ± 0.141  +0.300 ± 0.000  2",
        "",
        "start given",
        "value  mean Dice      gain over 0.25  gain over start scratch  runs",
        "0.25   0.450 ± 0.212  -               +0.150 ± 0.071           2",
        "0.5    0.800 ± 0.000  +0.350 ± 0.212  +0.200 ± 0.141           2",
    ]


def test_names_stay_names_and_numbers_get_their_form(tmp_path):
    study = finished_study(tmp_path, {"x_format": "{x:,.0f}"})
    assert shown(study, "5050") == "5,050" and shown(study, "scratch") == "scratch"
