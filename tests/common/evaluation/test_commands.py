"""Folds put together, and two evaluations compared."""

import json
import sys
from math import nan
from pathlib import Path

import pandas as pd
import pytest
from bundle_runs import python_here
from helpers import BUNDLES

from common.evaluation import commands, tables


def row(case: str, dice: float, name="spleen", hd95_mm=2.0) -> dict:
    return {
        "case": case,
        "label": 1 if name == "spleen" else 2,
        "name": name,
        "dice": dice,
        "nsd_1mm": dice,
        "hd95_mm": hd95_mm,
        "volume_ml": 1.0,
        "reference_volume_ml": 1.0,
    }


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write("fold0", rows)` makes the folder of an evaluation; without its picture, for time."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    def write(name: str, rows: list[dict]) -> str:
        tables.write_and_print(tmp_path / name, pd.DataFrame(rows))
        return str(tmp_path / name)

    return write


def evaluated(folder) -> dict:
    return json.loads(Path(folder, "summary.json").read_text())


def test_merged_folds_are_one_evaluation_of_all_cases(write, tmp_path):
    dice = {"a": 0.9, "b": 0.8, "c": 0.4, "d": nan, "e": 0.1}
    rows = [row(case, value) for case, value in dice.items()]
    folds = [write("fold0", rows[:2]), write("fold1", rows[2:3]), write("fold2", rows[3:])]
    commands.merge(*folds, output=str(tmp_path / "all"))
    whole = write("whole", rows)
    for name in ("metrics.csv", "summary.json"):
        assert (tmp_path / "all" / name).read_bytes() == Path(whole, name).read_bytes()
    assert evaluated(tmp_path / "all")["organs"]["spleen"]["dice"]["count"] == 4


def test_the_merged_evaluation_may_lie_in_one_of_its_folds(write):
    folds = [write("fold0", [row("a", 0.9)]), write("fold1", [row("b", 0.7)])]
    commands.merge(*folds, output=folds[0])
    assert evaluated(folds[0])["mean_dice"] == 0.8


def test_cases_that_failed_or_were_trained_on_are_carried_and_printed(write, tmp_path, capsys):
    folds = [write(f"fold{n}", [row(case, 0.9)]) for n, case in enumerate("ab")]
    remarks = [{"failed": ["c"], "trained_on": None}, {"failed": ["d"], "trained_on": ["b"]}]
    for folder, rows, remark in zip(folds, "ab", remarks):
        tables.write_and_print(folder, pd.DataFrame([row(rows, 0.9)]), remark)
    capsys.readouterr()
    commands.merge(*folds, output=str(tmp_path / "all"))
    printed = capsys.readouterr().out
    assert "failed, in no mean (2): c, d" in printed
    assert "1 of 2 cases were trained on: their figures tell nothing" in printed
    merged = evaluated(tmp_path / "all")
    assert (merged["failed"], merged["trained_on"]) == (["c", "d"], ["b"])
    text = commands.compare(str(tmp_path / "all"), folds[0])
    assert f"{tmp_path}/all: failed, in no mean (2): c, d" in text
    assert f"{folds[0]}: failed, in no mean (1): c" in text


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_an_older_or_damaged_summary_says_nothing_of_them(write, tmp_path, caplog, content):
    folds = [write(f"fold{n}", [row(case, 0.9)]) for n, case in enumerate("ab")]
    summary = Path(folds[0], "summary.json")
    summary.unlink() if content is None else summary.write_text(content)
    commands.merge(*folds, output=str(tmp_path / "all"))
    merged = evaluated(tmp_path / "all")
    assert merged["failed"] is merged["trained_on"] is None
    warned = f"{summary} cannot be read: cases that failed or were trained on are not known"
    assert (warned in caplog.messages) == (content != "{}")  # that of an older one can


MISTAKES = {
    "one folder": ([[row("a", 0.9)]], "two folders of evaluations or more"),
    "a case twice": (
        [[row("a", 0.9), row("b", 0.9)], [row("b", 0.5)]],
        "case b is in .*first and in .*other",
    ),
    "other tolerances": (
        [[row("a", 0.9)], [{k.replace("1mm", "3mm"): v for k, v in row("b", 0.9).items()}]],
        "have other columns .*nsd_1mm.* and .*nsd_3mm.*--tolerances_mm",
    ),
    "other labels": (
        [[row("a", 0.9)], [row("b", 0.9, "liver")]],
        "have other labels .*1 spleen, 2 liver",
    ),
}


@pytest.mark.parametrize("tables, sentence", MISTAKES.values(), ids=MISTAKES)
def test_folds_that_do_not_fit_are_refused_and_nothing_is_written(
    write, refusal, tmp_path, tables, sentence
):
    folders = [write(name, rows) for name, rows in zip(("first", "other"), tables)]
    with refusal(sentence):
        commands.merge(*folders, output=str(tmp_path / "all"))
    assert not (tmp_path / "all").exists()


def test_comparison_is_of_the_pairs_in_which_both_are_defined(write):
    before = [row(case, 0.5, hd95_mm=8.0) for case in "abcdef"] + [row("g", nan, hd95_mm=nan)]
    after = [row(case, min(0.5 + k / 10, 1), hd95_mm=8.0) for k, case in enumerate("abcdefg")]
    shown = commands.compare(write("before", before), write("after", after)).splitlines()
    # changes 0 (dropped by the test), 0.1 … 0.5: all of five ranks up, two-sided p = 2 / 2⁵
    assert shown[1].split() == ["spleen", "Dice", "6", "0.500", "0.750", "0.250", "0.062"]
    assert shown[3].split() == ["spleen", "HD95", "6", "8.0", "8.0", "0.0", "1.000"]


def test_comparison_without_a_defined_pair_shows_dashes(write):
    tables = [write("a", [row("x", nan)]), write("b", [row("x", 0.5)])]
    shown = commands.compare(*tables).splitlines()
    assert shown[1].split() == ["spleen", "Dice", "0", "-", "-", "-", "-"]


def test_comparison_of_other_cases_is_refused(write, refusal):
    tables = [write("a", [row("x", 0.5)]), write("b", [row("y", 0.5)])]
    with refusal("no case in common"):
        commands.compare(*tables)


def test_cases_of_one_evaluation_alone_are_named(write):
    first = write("first", [row(case, 0.5) for case in "abcd"])
    second = write("second", [row(case, 0.9) for case in "ecx"])
    lines = commands.compare(first, second).splitlines()
    # one pair alone: no p below 1
    assert lines[1].split() == ["spleen", "Dice", "1", "0.500", "0.900", "0.400", "1.000"]
    assert lines[4:] == [
        f"not compared, in {first} alone (3): a, b, d",
        f"not compared, in {second} alone (2): e, x",
    ]


def test_nothing_is_said_of_cases_that_both_have(write):
    folder = write("first", [row("a", 0.5)])
    assert len(commands.compare(folder, folder).splitlines()) == 4


def test_pairs_are_of_one_case_whatever_the_order(write):
    tables = [
        write("a", [row("x", 0.1), row("y", 0.9)]),
        write("b", [row("y", 0.9), row("x", 0.1)]),
    ]
    line = commands.compare(*tables).splitlines()[1]
    assert line.split() == ["spleen", "Dice", "2", "0.500", "0.500", "0.000", "1.000"]


def test_a_case_without_one_of_the_labels_is_refused(write, refusal, tmp_path):
    whole = write("whole", [row(case, 0.5, name) for case in "ab" for name in ("spleen", "liver")])
    hole = write("hole", [row("c", 0.5, "spleen"), row("c", 0.5, "liver"), row("d", 0.5, "liver")])
    with refusal("hole/metrics.csv .*case d has 0 rows of label 1, spleen"):
        commands.compare(whole, hole)
    with refusal("hole/metrics.csv .*case d has 0 rows of label 1, spleen"):
        commands.merge(whole, hole, output=str(tmp_path / "all"))
    assert not (tmp_path / "all").exists()


def test_the_command_line_merges_and_draws(write, tmp_path, monkeypatch):
    folds = [write("fold0", [row("a", 0.9)]), write("fold1", [row("b", 0.7)])]
    monkeypatch.delitem(sys.modules, "matplotlib.figure")
    command = ["-m", "scripts", "evaluation", "merge"]
    output = tmp_path / "all"
    done = python_here(BUNDLES / "btcv_segmentation", *command, *folds, "--output", output)
    assert done.stdout.splitlines()[-1].startswith("mean of the organs           Dice 0.800")
    assert evaluated(tmp_path / "all")["cases"] == 2
    assert (tmp_path / "all/boxplots.png").is_file()
