"""Runs a process for each side of tools/benchmark; the processes take turns.

A process is this file. It reads an order, a line of JSON (what to time, by which side, with which
sizes, on which device, and in which folder the bundles and the CT are), and answers each further
line with one; see `worker.serve`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

from tools import ROOT

from .limits import ended_after


class Side:
    """Runs the process of an order; allocator settings of this environment do not reach it."""

    def __init__(self, order: dict) -> None:
        self.name = f"{order['task']} ({order['side']})"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.benchmark.process"],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(json.dumps(order))

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *error) -> None:
        if error[0] is not None:
            self.process.kill()
        self.process.communicate()

    def ask(self, line: str) -> dict:
        """Sends a line, and waits for the answer."""
        self._write(line)
        return self.answer()

    def answer(self) -> dict:
        """Reads the next answer; the first, which nobody asks for, is versions and hardware."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.name} has failed; it says above why.")
        return json.loads(line)

    def kill(self) -> None:
        """Ends the process; who waits for its answer gets `SystemExit`."""
        self.process.kill()

    def _write(self, line: str) -> None:
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # the missing answer is what is reported
            pass


def asked(order: dict, line: str | None = None) -> dict:
    """Returns the versions and hardware of an order's process, or its answer to one line."""
    with Side(order) as side:
        found = side.answer()
        return side.ask(line) if line else found


def tried(order: dict, limit_s: float, repetitions: int = 3) -> dict:
    """Measures one order that may need more memory than there is.

    Args:
        order: as `Side` takes it; `memory_gb` limits what its process may use.
        limit_s: after which the process is ended.
        repetitions: after one that warms up.

    Returns:
        `seconds` (median) and `peak_bytes`, or `out_of_memory`: True.
    """
    with Side(order) as side, ended_after(limit_s, side.kill, side.name):
        answers = [side.answer(), side.ask("warm up")]
        while "out_of_memory" not in answers[-1] and len(answers) < 2 + repetitions:
            answers.append(side.ask("go"))
    if "out_of_memory" in answers[-1]:
        return {"out_of_memory": True}
    seconds = median(answer["seconds"] for answer in answers[2:])
    return {"seconds": seconds, "peak_bytes": answers[-1]["peak_bytes"]}


def measured(orders: list[dict], repetitions: int) -> tuple[dict[str, dict], dict]:
    """Measures times of every order, taken in turns, and peak memory by side; returns facts too."""
    with ExitStack() as stack:
        sides = {order["side"]: stack.enter_context(Side(order)) for order in orders}
        for side in sides.values():
            facts = side.answer()
            side.ask("warm up")
        answers = {name: [] for name in sides}
        for number in range(repetitions):
            for name, side in sides.items():
                answers[name].append(side.ask("go"))
                say(f"{side.name} {number + 1}: {answers[name][-1]['seconds']:.3g} s")
    return {
        name: {
            "seconds": [answer["seconds"] for answer in given],
            "cpu_seconds": [answer["cpu_seconds"] for answer in given],
            "peak_bytes": given[-1]["peak_bytes"],
        }
        for name, given in answers.items()
    }, facts


def say(text: str) -> None:
    """Prints progress to standard error; standard output has the table alone."""
    print(text, file=sys.stderr, flush=True)


def work() -> None:
    """Runs a side's process: reads orders, and answers."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print must not look like an answer
    from . import worker  # here: the parent stays small and starts at once

    order = json.loads(sys.stdin.readline())
    worker.serve(order, builder(order), answers)


def builder(order: dict) -> Callable[[dict], object] | None:
    """Returns what builds the job of an order; None for an order that asks for versions alone."""
    from . import crops, narrow_heads, ours, reference

    is_ours = order["side"] == "ours" or "overlays" in order
    own = (ours.JOBS | crops.JOBS | narrow_heads.JOBS).get(order["task"])
    return own if is_ours else reference.build


if __name__ == "__main__":
    work()
