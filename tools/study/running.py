"""Describes a study's command while it runs, its environment, and why one has failed."""

import os
import subprocess
from dataclasses import dataclass

from .grid import Job

GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass
class Running:
    """Holds a command that runs.

    Args:
        job: of the study.
        title: what printed lines call it.
        slot: 0 to the number of commands at a time less 1; no two that run share it.
        process: of the command.
        started: reading of the clock, in seconds.
        before: seconds that earlier attempts have taken.
    """

    job: Job
    title: str
    slot: int
    process: subprocess.Popen
    started: float
    before: float


def environment(slot: int) -> dict[str, str]:
    """Returns a command's environment: of several GPUs that this process may use, one."""
    gpus = os.environ.get(GPUS, "").split(",")
    return os.environ | ({GPUS: gpus[slot % len(gpus)]} if len(gpus) > 1 else {})


def why(status: int, job: Job) -> str:
    """Explains why a command has failed: its last printed line, and the place of the others."""
    log = job.folder / "log.txt"
    if status == 0:
        return f"it ended well, but {job.makes} is not there; {log} has what it printed"
    lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
    return f"{lines[-1].removeprefix('error: ')} (exit status {status}, {log})"
