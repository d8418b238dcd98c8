"""Runs a study's commands one after another, each once, and goes on where it was stopped."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

from .config import BUNDLES
from .grid import Job, Study
from .steps import FINISHED, check_unchanged, is_finished, record, write_record

LAUNCHER = (sys.executable, "-m", "monai.bundle", "run")
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Runner:
    """Runs the jobs of a study.

    A signal that asks to stop goes to the running command as SIGTERM, on which a training saves its
    state; a second one kills the command.

    Args:
        study: its jobs are in an order in which they can run.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.jobs = study, study.jobs
        self.child: subprocess.Popen | None = None
        self.stopped_by: int | None = None  # number of the signal
        self.failed: dict[Path, str] = {}  # why, by the job's folder
        self.skipped: list[Job] = []  # a job that they need has failed

    def run(self) -> int:
        """Runs every unfinished job; returns the status: 0, 1, or 128 and a signal's number."""
        under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        numbers = SIGNALS - {signal.SIGHUP} if under_nohup else SIGNALS
        before = {number: signal.signal(number, self.stop) for number in numbers}
        try:
            with locked(self.study.output_dir) as lock:
                check_unchanged(self.study)
                self.run_jobs(lock)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.report()

    def run_jobs(self, lock: IO) -> None:
        done = sum(map(is_finished, self.jobs))
        say(f"{len(self.jobs)} steps, {done} of them finished before")
        for job in (job for job in self.jobs if not is_finished(job)):
            if self.stopped_by is not None:
                return
            if any(need.folder in self.failed or need in self.skipped for need in job.needs):
                self.skipped.append(job)
                continue
            say(f"[{done + 1}/{len(self.jobs)}] {job.name} …", end=" ")
            self.run_job(job, lock)
            if self.stopped_by is None and job.folder not in self.failed:
                done += 1
                say(f"{clock(record(job)['seconds'])}, {self.time_left()}")

    def run_job(self, job: Job, lock: IO) -> None:
        """Runs one command; its output goes to `log.txt` in its folder."""
        job.folder.mkdir(parents=True, exist_ok=True)
        start, already = monotonic(), record(job).get("seconds", 0)
        write_record(self.study, job, "started", already)
        with (job.folder / "log.txt").open("a") as log:
            self.child = subprocess.Popen(
                [*LAUNCHER, *job.arguments],
                cwd=BUNDLES / job.bundle,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
                pass_fds=[lock.fileno()],  # a command that outlives this process keeps the lock
            )
            if self.stopped_by is not None:  # before there was a child
                self.child.terminate()
            status = self.child.wait()
        self.child = None
        is_made = status == 0 and job.makes.exists()
        if not is_made and self.stopped_by is None:
            self.failed[job.folder] = why(status, job)
            say("failed")
        state = FINISHED if is_made else "failed" if self.stopped_by is None else "stopped"
        write_record(self.study, job, state, already + monotonic() - start)

    def stop(self, number: int, frame: object) -> None:
        """Stops the study at a signal."""
        if self.child is not None and self.child.poll() is None:
            if self.stopped_by is None:
                self.child.terminate()
            else:
                os.killpg(self.child.pid, signal.SIGKILL)
        self.stopped_by = number if self.stopped_by is None else self.stopped_by

    def time_left(self) -> str:
        """Estimates the remaining time from finished steps of the same kinds, others left out."""
        seconds: dict[str, list[float]] = {}
        for job in filter(is_finished, self.jobs):
            seconds.setdefault(job.step, []).append(record(job)["seconds"])
        ahead = [job for job in self.jobs if not is_finished(job)]
        known = [job for job in ahead if job.step in seconds]
        left = sum(sum(seconds[job.step]) / len(seconds[job.step]) for job in known)
        if not ahead:
            return "all done"
        return f"{'about' if len(known) == len(ahead) else 'at least'} {clock(left)} left"

    def report(self) -> int:
        """Prints the unfinished jobs and why; returns the exit status."""
        for job in (job for job in self.jobs if job.folder in self.failed):
            say(f"failed: {job.name}: {self.failed[job.folder]}")
        if self.skipped:
            say(f"not started, because a step before failed: {len(self.skipped)} steps")
        if self.stopped_by is not None:
            done = sum(map(is_finished, self.jobs))
            say(f"\nstopped: {done} of {len(self.jobs)} steps are done; the same command goes on")
            return 128 + self.stopped_by
        return 1 if self.failed else 0


def why(status: int, job: Job) -> str:
    """Explains why a command has failed: its last printed line, and the place of the others."""
    log = job.folder / "log.txt"
    if status == 0:
        return f"it ended well, but {job.makes} is not there; {log} has what it printed"
    lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
    return f"{lines[-1].removeprefix('error: ')} (exit status {status}, {log})"


@contextmanager
def locked(folder: Path):
    """Locks a folder against another runner, or raises a SystemExit that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"{folder} is in use by another study, or by a command that one left running; "
                "wait for it, or end it."
            ) from None
        except OSError:
            say(f"{folder} cannot be locked: do not start the same study twice at a time")
        yield file


def clock(seconds: float) -> str:
    """Formats seconds, such as 45 s, 12 min 5 s, or 3 h 10 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)
