"""Applies the bundles' statistic to every kept state, and counts what it tells rightly.

    python tools/merging score OUT

It prints a table of the trainings with the scores by step, then the errors. docs/merging.md has
what came out.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import InputError
from common.weights.find_merging import merging_of_weights
from common.weights.merging_score import merging_score

from .trainings import KINDS


@dataclass(frozen=True)
class KeptRun:
    """Holds a run's configuration, its merging, and its checkpoints by step."""

    name: str
    config: dict
    merging: str
    states: dict[int, Path]


def kept_runs(out: str) -> list[KeptRun]:
    """Lists every run with checkpoints below a folder, at any depth.

    Raises:
        InputError: there is none, or its config.json is damaged.
    """
    runs = []
    for path in sorted(Path(out).rglob("config.json")):
        kept = {
            int(s.stem.split("_")[1]): s for s in path.parent.glob("checkpoints/iteration_*.pt")
        }
        if kept:
            name, states = path.parent.relative_to(out).parent, dict(sorted(kept.items()))
            try:
                content = json.loads(path.read_text())
                merging = content.get("merging", content["config"]["merging"])
                runs.append(KeptRun(name.as_posix(), content["config"], merging, states))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                raise InputError(
                    f"{path} is no config.json of a run; delete its folder, and train it again."
                ) from None
    if not runs:
        raise InputError(f"{out} holds no run; give the folder that `train` was given.")
    return runs


@dataclass(frozen=True)
class Scored:
    """Holds a checkpoint's training, its merging, and the bundles' verdict on the weights."""

    training: str
    merging: str
    steps: int
    score: float
    spread: float
    verdict: str | None


def scored(run: KeptRun) -> list[Scored]:
    """Scores every checkpoint of a training, by step."""
    rows = []
    for steps, path in run.states.items():
        state = torch.load(path, map_location="cpu", weights_only=True)["network"]
        verdict = merging_of_weights(state).merging
        rows.append(Scored(run.name, run.merging, steps, *merging_score(state), verdict))
    return rows


def score(out: str) -> str:
    """Tells the merging of every state kept below a folder from its weights alone.

    Args:
        out: holds runs, at any depth; each has a config.json and checkpoints.
    """
    return table([row for run in kept_runs(out) for row in scored(run)])


def table(rows: list[Scored]) -> str:
    """Formats a line for each training with its scores by step; then right, wrong and undecided."""
    lines = ["| training | merging | score (steps) | told |", "|---|---|---|---|"]
    for name in dict.fromkeys(row.training for row in rows):
        own = [row for row in rows if row.training == name]
        scores = ", ".join(f"{row.score:.1f} ({row.steps})" for row in own)
        told = ", ".join(dict.fromkeys(row.verdict or "nothing" for row in own))
        lines.append(f"| {name} | {own[0].merging} | {scores} | {told} |")
    for merging in KINDS:
        own = [row for row in rows if row.merging == merging]
        right = sum(row.verdict == merging for row in own)
        nothing = sum(row.verdict is None for row in own)
        trainings, wrong = len({row.training for row in own}), len(own) - right - nothing
        lines.append(
            f"\n{merging}: {trainings} trainings, {len(own)} states: {right} told rightly, "
            f"{wrong} wrongly, {nothing} not"
        )
    return "\n".join(lines)
