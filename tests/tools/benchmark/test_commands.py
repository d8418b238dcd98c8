"""The benchmark at its tiny size: it runs, its rows hold, and a user's mistakes are told.

Each of its sides is a process, which takes 6 s to start. In the fast tests they are this process,
but for one measurement.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bundle_runs import process_state_restored
from helpers import BUNDLES, ROOT, forget_scripts

from common.cli.commands import run
from tools.benchmark import commands, process, worker

TOOL = ROOT / "tools/benchmark"
NAMES = ["reading a crop", "encoder forward", "pre-training step", "fine-tuning step", "whole CT"]


def benchmark(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, TOOL, "run", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def written(folder: Path, done: subprocess.CompletedProcess) -> dict:
    """The JSON, after a run that ended well."""
    assert done.returncode == 0, done.stderr
    assert (folder / "benchmark.md").read_text() in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.json", "benchmark.md"]
    return json.loads((folder / "benchmark.json").read_text())


class Here:
    """A `process.Side` that is this process."""

    def __init__(self, order: dict) -> None:
        self.order, self.name = order, f"{order['task']} ({order['side']})"
        forget_scripts()
        self.job = process.builder(order)(order)

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *error) -> None:
        pass

    def answer(self) -> dict:
        return self.answers("")[0]

    def ask(self, line: str) -> dict:
        return self.answers(line + "\n")[1]

    def answers(self, asked: str) -> list[dict]:
        told = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO(asked))
            worker.serve(self.order, lambda order: self.job, told)
        return [json.loads(line) for line in told.getvalue().splitlines()]


def benchmark_here(*arguments) -> subprocess.CompletedProcess:
    """The same as `benchmark`, every side in this process."""
    return command_here("run", *arguments)


def command_here(*arguments) -> subprocess.CompletedProcess:
    words, stdout = [*map(str, arguments)], io.StringIO()
    with process_state_restored(), contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "Side", Here)
        sys.argv = [str(TOOL), *words]
        with contextlib.redirect_stdout(stdout):
            run(commands.COMMANDS, "python tools/benchmark", words)
    return subprocess.CompletedProcess(words, 0, stdout.getvalue(), "")


SIZE = ("--size", "tiny", "--repetitions", 1, "--training_steps", 4)


@pytest.fixture(scope="module", params=["here", pytest.param("processes", marks=pytest.mark.slow)])
def result(request, tmp_path_factory) -> dict:
    """All five at the tiny size, once each."""
    folder = tmp_path_factory.mktemp("benchmark")
    start = benchmark_here if request.param == "here" else benchmark
    before = bundle_files()
    done = start("--output_dir", folder, *SIZE)
    found = written(folder, done)
    if request.param == "processes":
        assert "encoder (reference) 1: " in done.stderr
    return found | {"bundles_before": before, "bundles_after": bundle_files()}


def bundle_files() -> list[tuple[str, int]]:
    """Every file of the checkout's bundles, whatever Python caches, and when it was written."""
    files = BUNDLES.rglob("*")
    return sorted((str(f), f.stat().st_mtime_ns) for f in files if "__pycache__" not in f.parts)


def test_every_measurement_has_a_row(result):
    published = [row for row in result["rows"] if row["reference"] == "as published"]
    assert [row["name"] for row in published] == NAMES
    assert {row["name"] for row in result["rows"]} == set(NAMES)


def test_rows_are_plausible(result):
    for row in result["rows"]:
        assert 0.0005 < row["ours_s"] < 300 and 0.001 < row["reference_s"] < 300
        assert row["speedup"] == pytest.approx(row["reference_s"] / row["ours_s"])
        assert 0.2 < row["ours_gib"] < 16 and 0.2 < row["reference_gib"] < 16
        assert "target" not in row  # at the tiny size nothing is judged


def test_labels_agree(result):
    *_, row = [row for row in result["rows"] if row["name"] == "whole CT"]
    assert row["agreement_in_body"] >= 0.999 and row["agreement"] >= 0.999
    assert row["ours_dice"] == pytest.approx(row["reference_dice"], abs=0.01)


def test_every_time_and_the_surroundings_are_kept(result):
    for measurement in result["measurements"].values():
        for side in measurement["sides"].values():
            assert len(side["seconds"]) == 1 and side["peak_bytes"] > 2**27
    assert set(result["versions"]) == {"python", "torch", "monai"}
    assert result["hardware"]["cores"] == os.cpu_count() and result["hardware"]["threads"] == 1
    assert "--size tiny" in result["command"] and result["date"][:2] == "20"


def test_checkout_stays_untouched(result):
    assert result["bundles_after"] == result["bundles_before"]


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (("--only", "encoder,volum"), "argument --only: volum is unknown; did you mean volume?"),
        (("--device", "gpu"), "argument --device: gpu is unknown; did you mean cpu?"),
        (("--size", "small"), "argument --size: small is unknown; there are full, tiny."),
        (
            ("--repetitions", "0"),
            "argument --repetitions: takes a whole number of 1",
        ),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path, flags, sentence):
    with pytest.raises(SystemExit) as refusal:
        command_here("run", "--output_dir", tmp_path / "out", *flags)
    assert str(refusal.value).startswith(f"error: {sentence}")
    assert "\n" not in str(refusal.value) and not (tmp_path / "out").exists()


def test_cuda_without_a_gpu_is_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "asked", lambda order: {"hardware": {"gpu": None}})
    with pytest.raises(SystemExit) as refusal:
        command_here("run", "--output_dir", tmp_path / "out", "--device", "cuda")
    assert str(refusal.value) == (
        "error: --device cuda needs a CUDA GPU, which PyTorch does not find here."
    )
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_timed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="^error: .*/file/out cannot be written"):
        command_here("run", "--output_dir", tmp_path / "file/out", "--size", "tiny")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_all_five_run_on_a_gpu(tmp_path):
    flags = ("--device", "cuda", "--size", "tiny", "--repetitions", 2, "--training_steps", 4)
    rows = written(tmp_path, benchmark("--output_dir", tmp_path, *flags))["rows"]
    assert [row["name"] for row in rows if row["reference"] == "as published"] == NAMES
    assert rows[-1]["agreement_in_body"] > 0.9  # bfloat16 against float16, hardly trained


def test_a_step_of_an_objective_is_set_beside_the_papers():
    flags = ("--only", "distilled", "--crops", 2, "--repetitions", 1)
    rows = command_here("objectives", *flags).stdout.splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [name for name, *_ in cells] == ["rotation_contrast_inpainting", "distilled"]
    (_, paper_s, paper_ratio, _), (_, seconds, ratio, gib) = cells
    assert float(paper_ratio) == 1 and float(seconds) > 0.01 and float(gib) > 0.2
    assert float(ratio) == pytest.approx(float(seconds) / float(paper_s), rel=0.02)


def test_an_odd_number_of_crops_is_refused():
    with pytest.raises(SystemExit, match="argument --crops: takes a multiple of 2, not 3"):
        command_here("objectives", "--crops", 3)
