"""A results.csv that was kept: figure, table and test again from it, and no run of it again."""

import json
from pathlib import Path

import pytest
from helpers import ROOT
from study_stub import finished_study

from common.cli.commands import run
from common.errors import InputError
from tools.study import commands
from tools.study.config import read_study
from tools.study.results import read_results
from tools.study.results_file import with_known, write_rows
from tools.study.runner import Runner
from tools.study.steps import write_record

KEPT = sorted((ROOT / "tools/study/studies").glob("*.csv"))


@pytest.fixture
def kept(tmp_path) -> Path:
    """The results.csv of a study of which all but one run are there, with the seconds of steps."""
    study = finished_study(tmp_path, leave_out=[("given", "0.5", "1")])
    for number, job in enumerate(study.jobs):
        job.folder.mkdir(parents=True, exist_ok=True)
        write_record(study, job, "finished", 10.0 + number)
    write_rows(tmp_path / "kept.csv", read_results(study))
    return tmp_path / "kept.csv"


def test_rows_have_the_seconds_of_every_step_of_the_run(kept):
    study = read_study(str(kept.parent / "study.json"), str(kept.parent / "out"), {})
    seconds = {job.folder: 10.0 + number for number, job in enumerate(study.jobs)}
    for row in read_results(study):
        levels = {name: row[name] for name in ("start", "value", "seed")}
        assert row["train_seconds"] == seconds[study.folder("train", levels)]
        before = seconds[study.folder("before", levels)] if row["start"] == "given" else None
        assert row["before_seconds"] == before


def test_a_kept_file_makes_figure_and_table_again_without_the_runs(kept, tmp_path, capsys):
    config = str(kept.parent / "study.json")
    words = ["figure", config, "--output_dir", str(tmp_path / "out")]
    run(commands.COMMANDS, arguments=words)
    first, picture = capsys.readouterr().out, (tmp_path / "out/figure.png").read_bytes()
    words[-1] = str(tmp_path / "clone")
    run(commands.COMMANDS, arguments=[*words, "--results", str(kept)])
    again = capsys.readouterr().out
    assert "7 of 8 runs" in first and again == first.replace("/out/", "/clone/")
    assert (tmp_path / "clone/figure.png").read_bytes() == picture
    assert (tmp_path / "clone/results.csv").read_bytes() == kept.read_bytes()


def test_runs_of_a_kept_file_are_not_run_again(kept, tmp_path):
    study = read_study(str(kept.parent / "study.json"), str(tmp_path / "clone"), {})
    study = with_known(study, str(kept))
    names = [job.name for job in study.jobs]
    levels = "start given, value 0.5, seed 1"
    assert names == ["before", f"train, {levels}", f"evaluate, {levels}"]
    path = study.result(study.runs[-1])
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mean_dice": 0.9, "dice": {"liver": 1.0}}))
    assert [row["mean_dice"] for row in read_results(study)][-2:] == [0.8, 0.9]
    assert len(Runner(study).jobs) == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: [*lines, lines[1]], "line 9: the run is there twice"),
        (lambda lines: [lines[0], lines[1].replace("scratch", "x")], "line 2: .* is no run of"),
        (lambda lines: [lines[0], lines[1].replace(",0.2,", ",,")], "line 2: not every score is"),
        (lambda lines: [lines[0], lines[1].replace(",0.2,", ",nan,")], "line 2: not every score"),
        (lambda lines: [lines[0], lines[1].replace(",1.0,", ",inf,")], "line 2: not every score"),
        (lambda lines: [lines[0], lines[1][:-3] + "xyz"], "line 2: the run was made by other comm"),
        (lambda lines: ["a,b", "1,2"], "line 2: .* is no run of"),
    ],
)
def test_a_file_that_does_not_belong_is_told_with_its_line(kept, change, sentence):
    study = read_study(str(kept.parent / "study.json"), str(kept.parent / "out"), {})
    kept.write_text("\n".join(change(kept.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=f"kept.csv, {sentence}") as refusal:
        with_known(study, str(kept))
    assert "\n" not in str(refusal.value)
    with pytest.raises(InputError, match="nowhere.csv cannot be read"):
        with_known(study, "nowhere.csv")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_study_is_shown_again_from_its_committed_results(path, tmp_path, capsys):
    words = ["figure", str(path.with_suffix(".json")), "--output_dir", str(tmp_path)]
    run(commands.COMMANDS, arguments=[*words, "--results", str(path)])
    lines = path.read_text().splitlines()
    assert f"{len(lines) - 1} of " in capsys.readouterr().out
    assert (tmp_path / "results.csv").read_text().splitlines() == lines
    assert (tmp_path / "figure.png").is_file()
