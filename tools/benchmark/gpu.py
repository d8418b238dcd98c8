"""Checks a GPU in at most ten minutes: tests, recipe, narrow heads, benchmark; writes one JSON.

Each step is a process of its own with a limit, at most a third of the time so that none takes it
from all others. It is ended there with all that it has started. The file is written anew after each
step, so that one that fails or runs out of time costs itself alone.
"""

import json
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from common.atomic_write import check_writable, write_text
from common.cli.kinds import Count
from common.errors import InputError
from tools import ROOT

from .limits import limited
from .process import asked, say, tried
from .recipe import ROWS, TINY_ROWS, recipe_row

FACTS = {"task": "facts", "side": "ours", "device": "cpu"}
OLDEST_TORCH = (2, 11)
TASKS = ("encoder", "pretrain", "finetune", "volume")
HEADS = [
    {"precision": precision, "attention": attention}
    for precision in ("float32", "bfloat16")
    for attention in ("fused kernel", "products")
]
LEAST_S = 20  # a step is not begun with less time
MOST = 1 / 3  # of the time, for one step


def gpu(
    *,
    output: str = "gpu.json",
    device: Literal["cuda", "cpu"] = "cuda",
    size: Literal["full", "tiny"] = "full",
    minutes: Count = 10,
) -> None:
    """Measures this machine's GPU, and writes all results to one JSON file.

    Exits with 1 when a test has failed; the file names it, and has everything else.

    Args:
        output: the file; `python tools/benchmark gpu_table` makes the page's table from it.
        device: cuda, or cpu to try the command out, with --size tiny.
        size: full, or tiny to try the command out; its times mean nothing.
        minutes: after which no step begins and the one that runs is ended.
    """
    started = time.perf_counter()
    check_writable(files=[output])
    facts = asked(FACTS)
    if device == "cuda" and not facts["hardware"]["gpu"]:
        raise InputError(
            "no CUDA GPU is found by PyTorch here, so there is nothing to check; see nvidia-smi, "
            "and install the build of PyTorch for your CUDA version."
        )
    torch_version = facts["versions"]["torch"]
    if tuple(map(int, re.findall(r"\d+", torch_version)[:2])) < OLDEST_TORCH:
        raise InputError(
            f"PyTorch {torch_version} is too old for this check; install 2.11 or newer."
        )
    result = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(["python", *sys.argv]),
        "device": device,
        "size": size,
        **facts,
    }
    left_s = 60 * minutes - (time.perf_counter() - started)
    run_steps(result, steps(device, size), Path(output), left_s)
    tests = result["steps"]["tests"].get("result", {"exit_status": 0})
    if tests["exit_status"]:
        named = "; ".join(tests["failed"]) or tests["summary"]
        raise SystemExit(f"tests that need a GPU have failed ({output} has the rest): {named}")


def steps(device: str, size: str) -> dict[str, Callable[[float], object]]:
    """Lists the steps in order; each takes the seconds that it may last."""
    rows = ROWS if size == "full" else TINY_ROWS
    return {
        "tests": run_tests,
        **{
            f"recipe::{row['machine']}": lambda limit_s, row=row: recipe_row(row, device, limit_s)
            for row in rows
        },
        "heads": lambda limit_s: [
            one | tried(heads_order(one, device, size), limit_s / len(HEADS)) for one in HEADS
        ],
        **{
            f"benchmark::{task}": lambda limit_s, task=task: run_benchmark(
                task, device, size, limit_s
            )
            for task in TASKS
        },
    }


def run_steps(
    result: dict, parts: dict[str, Callable[[float], object]], path: Path, limit_s: float
) -> None:
    """Runs the steps one after the other while there is time, and writes the file after each.

    Args:
        result: the file's content so far; gets `steps` and `seconds`.
        parts: a step by name; it gets the seconds that it may last.
        path: the file.
        limit_s: of all steps together.
    """
    started = time.perf_counter()
    result["steps"] = {}
    for name, step in parts.items():
        left_s = limit_s - (time.perf_counter() - started)
        if left_s < LEAST_S:
            found = {"not_measured": f"no time was left of {limit_s / 60:.0f} minutes"}
        else:
            try:
                found = {"result": step(min(left_s, MOST * limit_s))}
            except SystemExit as error:
                found = {"not_measured": str(error)}
        result["steps"][name] = found
        result["seconds"] = time.perf_counter() - started
        say(f"{name}: {found.get('not_measured') or 'done'}, {result['seconds']:.0f} s so far")
        write_text(path, json.dumps(result, indent=2) + "\n")
    print(f"{path} holds the results; `python tools/benchmark gpu_table` shows them as a table")


def run_tests(limit_s: float) -> dict:
    """Runs the tests that need CUDA; returns pytest's last line and its exit status."""
    done = limited([sys.executable, "-m", "pytest", "-m", "gpu", "-q"], limit_s)
    lines = done.stdout.strip().splitlines() or ["pytest printed nothing"]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"summary": lines[-1], "exit_status": done.returncode, "failed": failed}


def heads_order(one: dict, device: str, size: str) -> dict:
    """Makes the order of a forward with heads of 4 channels, see `recipe.heads`."""
    edge = 96 if size == "full" else 32
    return {"task": "heads", "side": "ours", "device": device, "edge": edge} | one


def run_benchmark(task: str, device: str, size: str, limit_s: float) -> dict:
    """Runs one task of `python tools/benchmark run`; returns its rows."""
    with tempfile.TemporaryDirectory(prefix="gpu_") as folder:
        words = ["run", "--output_dir", folder, "--only", task, "--device", device, "--size", size]
        few = ["--repetitions", "3", "--training_steps", "100" if size == "full" else "2"]
        command = [sys.executable, str(ROOT / "tools/benchmark"), *words, *few]
        done = limited(command, limit_s)
        if done.returncode:
            raise SystemExit(f"the benchmark's {task} failed: {done.stderr.strip()[-300:]}")
        return {"rows": json.loads(Path(folder, "benchmark.json").read_text())["rows"]}
