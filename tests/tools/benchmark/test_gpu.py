"""The check of a GPU: bisection, steps, JSON and tables, tried on a CPU."""

import json
import subprocess
import sys
from threading import Event
from time import monotonic

import pytest
import torch
from helpers import ROOT

from common.errors import InputError
from tools.benchmark import gpu, gpu_table, limits, process, recipe

CHUNKS = [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 16, 31, 32, 100])
def test_bisection_finds_the_largest_chunk_that_fits(limit):
    asked = []

    def fits(chunk: int) -> dict | None:
        asked.append(chunk)
        return {"seconds": 1.0} if chunk <= limit else None

    chunk, measured = recipe.largest(CHUNKS, fits)
    assert chunk == max((one for one in CHUNKS if one <= limit), default=None)
    assert len(asked) <= 3 and set(measured) <= {one for one in CHUNKS if one <= limit}


@pytest.fixture
def result(tmp_path, monkeypatch) -> dict:
    """The file of a check in which chunks above 4 take too much memory, and one step fails."""

    def tried(order: dict, limit_s: float) -> dict:
        if order["task"] == "heads":
            return {"seconds": 0.5, "peak_bytes": 2**30}
        is_large = order["config"]["chunk_size"] > 4
        return {"out_of_memory": True} if is_large else {"seconds": 2.0, "peak_bytes": 3 * 2**30}

    def failing(task: str, *_) -> dict:
        if task == "volume":
            raise SystemExit("the benchmark's volume failed: no space")
        row = {"reference": "as published", "ours_s": 0.5, "reference_s": 1.0, "gpu_hours": 62.5}
        return {"rows": [row]}

    monkeypatch.setattr(recipe, "tried", tried)
    monkeypatch.setattr(gpu, "tried", tried)
    monkeypatch.setattr(gpu, "run_benchmark", failing)
    summary = {"summary": "7 passed", "exit_status": 0, "failed": []}
    monkeypatch.setattr(gpu, "run_tests", lambda limit_s: summary)
    facts = {"versions": {"torch": "2.13.0"}, "hardware": {"gpu": "a card", "cpu": "a core"}}
    path = tmp_path / "gpu.json"
    start = {"date": "2026-11-29", "command": "python", "size": "full", **facts}
    gpu.run_steps(start, gpu.steps("cuda", "full"), path, 600)
    assert [file.name for file in tmp_path.iterdir()] == ["gpu.json"]
    return json.loads(path.read_text())


def test_a_step_that_fails_costs_itself_alone(result):
    assert result["steps"]["benchmark::volume"] == {
        "not_measured": "the benchmark's volume failed: no space"
    }
    row = result["steps"]["recipe::one GPU, 24 GB"]["result"]
    assert row["chunk_size"] == 4 and row["crops_a_second"] == 32 and row["peak_gib"] == 3


def test_tables_are_made_from_the_file(result, tmp_path):
    (tmp_path / "gpu.json").write_text(json.dumps(result))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{gpu_table.BEGIN}old\n{gpu_table.END}after\n")
    gpu_table.gpu_table(str(tmp_path / "gpu.json"), str(page))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| one GPU, 16 GB | 32 | 4 | 16 | 3.0 | yes |" in text
    assert "| pretrain | 0.5 s, published 1 s; 450,000 iterations 62 GPU-hours | yes |" in text
    assert "| volume | | no: the benchmark's volume failed: no space |" in text
    assert "bfloat16 by products 0.5 s" in text and "2026-11-29, a card; torch 2.13.0" in text


def test_the_page_has_the_tables_of_the_file_beside_it():
    content = {"steps": {}}
    if gpu_table.RESULT.is_file():
        content = json.loads(gpu_table.RESULT.read_text())
    text = gpu_table.PAGE.read_text().partition(gpu_table.BEGIN)[2].partition(gpu_table.END)[0]
    assert text == gpu_table.tables(content)


def test_no_step_takes_more_than_a_third_of_the_time(tmp_path):
    given = {}
    parts = {name: lambda limit_s, name=name: given.setdefault(name, limit_s) for name in "ab"}
    gpu.run_steps({}, parts, tmp_path / "gpu.json", 90)
    assert given["a"] == 30 and 29 < given["b"] <= 30


def test_all_tries_of_a_row_share_its_time(monkeypatch):
    clock, given = [100.0], []

    def tried(order: dict, limit_s: float) -> dict:
        given.append(limit_s)
        clock[0] += 40
        return {"seconds": 1.0, "peak_bytes": 1}

    monkeypatch.setattr(recipe, "tried", tried)
    monkeypatch.setattr(recipe, "perf_counter", lambda: clock[0])
    recipe.recipe_row(recipe.ROWS[1], "cuda", 60)
    assert given == [60, 20, 0]


def test_a_command_is_ended_in_time_with_all_that_it_has_started():
    child = "import subprocess; print(1, flush=True); subprocess.run(['sleep', '60'])"
    started = monotonic()
    with pytest.raises(SystemExit, match="it was ended after 1 s"):
        limits.limited([sys.executable, "-c", child], 1)
    assert monotonic() - started < 20
    done = limits.limited([sys.executable, "-c", "print(2); raise SystemExit(3)"], 60)
    assert (done.stdout, done.returncode) == ("2\n", 3)


def test_who_waits_for_what_is_ended_hears_of_the_time():
    is_ended = Event()
    with (
        pytest.raises(SystemExit, match="a step was ended after 0 s"),
        limits.ended_after(0.01, is_ended.set, "a step"),
    ):
        assert is_ended.wait(60)
        raise SystemExit("no answer")
    with pytest.raises(SystemExit, match="no answer"), limits.ended_after(60, is_ended.set, ""):
        raise SystemExit("no answer")


STUB_TESTS = """
import pytest
@pytest.mark.gpu
def test_good(): pass
@pytest.mark.gpu
def test_bad(): assert False
def test_of_no_gpu(): assert False
"""


def test_failed_tests_are_named_and_the_exit_status_is_1(tmp_path, monkeypatch):
    """A real run of pytest on a stub; the other steps are left out."""
    (tmp_path / "test_stub.py").write_text(STUB_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: a mark\n")
    monkeypatch.setattr(limits, "ROOT", tmp_path)
    monkeypatch.setattr(gpu, "steps", lambda *_: {"tests": gpu.run_tests, "next": lambda _: 1})
    found = {"versions": {"torch": "2.13.0"}, "hardware": {"gpu": None}}
    monkeypatch.setattr(gpu, "asked", lambda order: found)
    path = tmp_path / "gpu.json"
    with pytest.raises(SystemExit, match="have failed .*gpu.json .*FAILED test_stub.py::test_bad"):
        gpu.gpu(output=str(path), device="cpu", size="tiny")
    steps = json.loads(path.read_text())["steps"]
    tests = steps["tests"]["result"]
    assert tests["exit_status"] == 1 and tests["summary"].startswith("1 failed, 1 passed")
    assert len(tests["failed"]) == 1 and steps["next"] == {"result": 1}

    good = {"summary": "1 passed", "exit_status": 0, "failed": []}
    monkeypatch.setattr(gpu, "steps", lambda *_: {"tests": lambda _: good})
    gpu.gpu(output=str(path), device="cpu", size="tiny")


def test_no_step_begins_when_the_time_is_over(tmp_path):
    path = tmp_path / "gpu.json"
    gpu.run_steps({}, {"tests": lambda limit_s: 1 / 0}, path, gpu.LEAST_S - 1)
    (found,) = json.loads(path.read_text())["steps"].values()
    assert found["not_measured"].startswith("no time was left")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (("2.13.0", None), "no CUDA GPU is found by PyTorch here"),
        (("2.9.1", "a card"), "PyTorch 2.9.1 is too old for this check; install 2.11 or newer."),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_sentence(facts, sentence, tmp_path, monkeypatch):
    found = {"versions": {"torch": facts[0]}, "hardware": {"gpu": facts[1]}}
    monkeypatch.setattr(gpu, "asked", lambda order: found)
    with pytest.raises(InputError, match=sentence):
        gpu.gpu(output=str(tmp_path / "gpu.json"))
    assert not list(tmp_path.iterdir())


def test_a_result_that_is_none_is_told(tmp_path):
    path = tmp_path / "gpu.json"
    with pytest.raises(InputError, match="does not exist; write it by"):
        gpu_table.gpu_table(str(path))
    path.write_text("[]")
    with pytest.raises(InputError, match="is no result of"):
        gpu_table.gpu_table(str(path), str(tmp_path / "page.md"))


@pytest.mark.slow
def test_processes_measure_and_keep_the_limit_of_memory():
    """The recipe's tiny row and narrow heads on a CPU, each in its own process."""
    (row,) = recipe.TINY_ROWS
    found = recipe.recipe_row(row, "cpu", 300)
    assert found["chunk_size"] == 4 and 0 < found["crops_a_second"] < 1e4
    assert 0.2 < found["peak_gib"] < 16
    assert recipe.recipe_row(row | {"memory_gb": 0.01}, "cpu", 300)["chunk_size"] is None
    for one in gpu.HEADS:
        assert process.tried(gpu.heads_order(one, "cpu", "tiny"), 300, 1)["seconds"] > 0
    with pytest.raises(SystemExit, match="heads .ours. was ended after 0 s"):
        process.tried(gpu.heads_order(gpu.HEADS[0], "cpu", "tiny"), 0.01)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_make_gpu_without_a_gpu_ends_in_one_sentence(tmp_path):
    command = [sys.executable, ROOT / "tools/benchmark", "gpu", "--output", tmp_path / "gpu.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and not list(tmp_path.iterdir())
    assert done.stderr.strip().splitlines()[-1].startswith("error: no CUDA GPU is found")
