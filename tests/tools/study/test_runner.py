"""The runner of studies, on a stub of the bundle command: once each, stopped, killed, failed."""

import copy
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
import study_stub

from common.cli.commands import run
from common.errors import InputError
from tools.study import commands, config, runner, running

STEPS = 1 + 8 + 8  # one before, shared by four of eight runs


@pytest.fixture
def bench(tmp_path, monkeypatch) -> "Bench":
    for module in (config, runner):
        monkeypatch.setattr(module, "BUNDLES", tmp_path / "bundles")
    monkeypatch.setattr(runner, "LAUNCHER", (sys.executable, str(study_stub.__file__), "stub"))
    study_stub.write_bundles(tmp_path / "bundles")
    (tmp_path / "data").mkdir()
    return Bench(tmp_path)


class Bench:
    """A study in a folder, in this process or in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.content = folder, copy.deepcopy(study_stub.CONFIG)
        self.hold = folder / "bundles/fake/hold"
        self.options = ["--output_dir", str(folder / "out"), "--dataset_dir", str(folder / "data")]

    def config(self) -> str:
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.content))
        return str(path)

    def study(self, output_dir: str = "out", data: str = "data"):
        inputs = {"dataset_dir": str(self.folder / data)}
        return config.read_study(self.config(), str(self.folder / output_dir), inputs)

    def run(self, at_once: int = 1, **options) -> int:
        return runner.Runner(self.study(**options), at_once).run()

    def start(self, command: str = "run", *options: str) -> subprocess.Popen:
        words = [str(self.folder / "bundles"), command, self.config(), *self.options, *options]
        return subprocess.Popen(
            [sys.executable, study_stub.__file__, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self) -> list[str]:
        path = self.folder / "bundles/fake/calls.txt"
        return path.read_text().split() if path.exists() else []

    def step(self, folder: str) -> dict:
        return json.loads((self.folder / "out" / folder / "step.json").read_text())


def until(condition: Callable[[], bool]) -> None:
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.01)


@pytest.mark.parametrize("at_once", [1, 3])
def test_every_command_runs_once_after_what_it_needs_and_never_again(bench, capsys, at_once):
    assert bench.run(at_once) == 0
    calls = bench.calls()
    assert len(calls) == len(set(calls)) == STEPS
    run = "start-given_value-0.5_seed-1"
    assert calls.index("out/before") < calls.index(f"train/{run}") < calls.index(f"evaluate/{run}")
    summary = json.loads((bench.folder / f"out/evaluate/{run}/summary.json").read_text())
    assert summary["mean_dice"] == pytest.approx(0.5 + 0.1)
    printed = capsys.readouterr().out
    assert "[1/17] train, start scratch, value 0.25, seed 0" in printed
    assert "at least" in printed and "about" in printed and "all done" in printed
    titles = [line.removesuffix(" …") for line in printed.splitlines() if line.endswith(" …")]
    ends = re.findall(r"^(.*): \d+ s, ", printed, re.MULTILINE)
    assert sorted(titles) == sorted(ends) and len(set(titles)) == STEPS
    assert [title.partition("/")[0] for title in titles] == [f"[{n + 1}" for n in range(STEPS)]
    assert bench.run() == 0 and bench.calls() == calls
    assert "17 of them finished before" in capsys.readouterr().out


def test_a_larger_grid_runs_only_what_is_new(bench):
    bench.run()
    bench.content["factors"]["seed"].append(2)
    assert bench.run() == 0
    new = bench.calls()[STEPS:]
    assert len(new) == 8 and all(call.endswith("seed-2") for call in new)


def test_what_a_step_makes_must_be_there(bench, capsys):
    bench.run()
    (bench.folder / "out/before/summary.json").unlink()
    assert bench.run() == 0 and bench.calls()[STEPS:] == ["out/before"]
    bench.content["factors"] = {"start": {"scratch": {}}, "value": ["nothing"], "seed": [0]}
    assert bench.run() == 1
    assert "it ended well, but" in capsys.readouterr().out


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_failing_step_stops_only_what_needs_it_and_is_tried_again(bench, capsys, at_once):
    bench.content["factors"]["value"] = [0.25, "bad"]
    assert bench.run(at_once) == 1
    assert len(bench.calls()) == STEPS - 4  # four trainings fail, four evaluations are left out
    printed = capsys.readouterr().out
    assert printed.count("the value is bad; give a good one. (exit status 1, ") == 4
    assert "failed: train, start given, value bad, seed 1: " in printed
    assert "because a step before failed: 4 steps" in printed
    assert bench.step("train/start-given_value-bad_seed-1")["state"] == "failed"
    log = bench.folder / "out/train/start-given_value-bad_seed-1/log.txt"
    assert "a line before\n" in log.read_text()
    assert bench.run() == 1
    assert len(bench.calls()) == STEPS - 4 + 4


def test_a_changed_command_is_told_before_anything_runs(bench):
    bench.run()
    calls = bench.calls()
    bench.content["steps"]["before"]["flags"]["value"] = 0.2
    with pytest.raises(InputError) as refusal:
        bench.run()
    sentence = str(refusal.value)
    assert "(and 8 more) was made by another command: before: --value was 0.1, is 0.2" in sentence
    bench.content["steps"]["before"]["flags"]["value"] = 0.1
    (bench.folder / "other").mkdir()
    with pytest.raises(InputError, match="dataset_dir was .*data, is .*other"):
        bench.run(data="other")
    assert bench.calls() == calls


def test_a_folder_that_cannot_be_written_is_one_sentence(bench):
    (bench.folder / "file").touch()
    with pytest.raises(InputError, match="file/out cannot be written .*; give another --output_d"):
        bench.run(output_dir="file/out")


def test_a_study_may_be_moved(bench):
    bench.run()
    (bench.folder / "out").rename(bench.folder / "moved")
    assert bench.run(output_dir="moved") == 0 and len(bench.calls()) == STEPS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_to_the_command_and_the_study_goes_on_later(bench, number):
    bench.hold.touch()
    process = bench.start()
    until(lambda: len(bench.calls()) == 1)
    sleep(0.2)  # the stub notes its start before it takes the signal
    process.send_signal(number)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and errors == ""
    assert "stopped: 0 of 17 steps are done; the same command goes on" in printed
    folder = "train/start-scratch_value-0.25_seed-0"
    assert bench.step(folder)["state"] == "stopped"
    assert (bench.folder / "out" / folder / "log.txt").read_text() == "told to stop\n"
    bench.hold.unlink()
    assert bench.run() == 0 and len(bench.calls()) == STEPS + 1


def test_a_signal_goes_to_all_commands_that_run(bench):
    bench.hold.touch()
    process = bench.start("run", "--jobs", "3")
    until(lambda: len(bench.calls()) == 3)
    sleep(0.3)  # time to start a fourth, or to take the signal
    folders = bench.calls()
    assert len(folders) == len(set(folders)) == 3
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and errors == ""
    assert printed.count(": stopped\n") == 3 and "stopped: 0 of 17 steps" in printed
    for folder in folders:
        folder = folder.removeprefix("out/")
        assert bench.step(folder)["state"] == "stopped"
        assert (bench.folder / "out" / folder / "log.txt").read_text() == "told to stop\n"
    bench.hold.unlink()
    assert bench.run(at_once=3) == 0 and len(bench.calls()) == STEPS + 3


def test_each_of_the_commands_gets_one_of_the_gpus_that_are_listed(monkeypatch):
    monkeypatch.setenv(running.GPUS, "4,6")
    assert [running.environment(slot)[running.GPUS] for slot in range(3)] == ["4", "6", "4"]
    monkeypatch.setenv(running.GPUS, "4")
    assert running.environment(1) == os.environ
    monkeypatch.delenv(running.GPUS)
    assert running.environment(1) == os.environ


def test_killed_outright_it_waits_for_the_command_and_redoes_only_that(bench):
    process = bench.start()
    until(lambda: len(bench.calls()) == 4)
    bench.hold.touch()
    until(lambda: len(bench.calls()) >= 5)
    sleep(0.3)
    process.kill()
    process.communicate()
    before = bench.calls()
    second = bench.start()
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1 and "out is in use by another study, or by a comm" in errors
    bench.hold.unlink()
    until(lambda: study_is_free(bench.folder / "out"))
    assert bench.run() == 0
    again = [call for call in set(bench.calls()) if bench.calls().count(call) > 1]
    assert again == [before[-1]] and len(bench.calls()) == STEPS + 1


def study_is_free(folder: Path) -> bool:
    try:
        with runner.locked(folder):
            return True
    except InputError:
        return False


def test_run_list_and_figure_from_the_shell(bench):
    listed, _ = bench.start("list").communicate(timeout=60)
    lines = listed.splitlines()
    assert [line for line in lines if line[0] == "#"] == [
        "# 1. before: 1",
        "# 2. train: 8",
        "# 3. evaluate: 8",
    ]
    fake, out = bench.folder / "bundles/fake", bench.folder / "out"
    assert lines[1] == (
        f"cd {fake} && python -m monai.bundle run --config_file configs/train.json "
        f"--dataset_dir {bench.folder / 'data'} --out {out}/before/summary.json --value 0.1"
    )
    assert not out.exists()
    process = bench.start()
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    table = "\n".join(printed.splitlines()[-8:])
    assert "value  start    mean Dice      gain over scratch  runs" in table
    assert "0.25   given    0.350 ± 0.000  +0.100 ± 0.000     2" in table
    assert (out / "figure.png").stat().st_size > 5000
    head, first = (out / "results.csv").read_text().splitlines()[:2]
    seconds = "before_seconds,train_seconds,evaluate_seconds,made_by"
    assert head == f"start,value,seed,mean_dice,liver,aorta,{seconds}"
    assert re.fullmatch(r"scratch,0.25,0,0.25,0.25,,,(\d+\.\d,){2}[0-9a-f]{12}", first)
    (out / "figure.png").unlink()
    again = subprocess.run(
        [sys.executable, study_stub.__file__, fake.parent, "figure", bench.config()]
        + ["--output_dir", out],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert again.returncode == 0 and table in again.stdout and (out / "figure.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--datset_dir", "x"], "--datset_dir is unknown; did you mean --dataset_dir?"),
        (["--test_dir", "x"], "the study knows no input test_dir; "),
        (["more"], "more is unknown"),
        (["--dataset_dir", "nowhere"], "nowhere does not exist; give what .* by --dataset_dir"),
    ],
)
def test_a_mistaken_command_line_is_refused_before_any_work(bench, words, sentence, monkeypatch):
    monkeypatch.setattr(commands, "check_commands", lambda study: None)
    with pytest.raises(SystemExit, match=sentence):
        run(commands.COMMANDS, arguments=["run", bench.config(), *words])
    assert bench.calls() == []
