"""Runs each of a study's commands once, several at a time, and goes on where it was stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from .config import BUNDLES
from .grid import Job, Study
from .lock import locked
from .running import Running, environment, why
from .steps import FINISHED, check_unchanged, is_finished, record, write_record

LAUNCHER = (sys.executable, "-m", "monai.bundle", "run")
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
POLL_S = 0.05


class Runner:
    """Runs the jobs of a study.

    A signal that asks to stop goes to the running commands as SIGTERM, on which a training saves
    its state; a second one kills them.

    Args:
        study: its jobs are in an order in which they can run.
        at_once: number of commands that run at a time. Where CUDA_VISIBLE_DEVICES lists several
            GPUs, each gets one of them in turn.
    """

    def __init__(self, study: Study, at_once: int = 1) -> None:
        self.study, self.jobs, self.at_once = study, study.jobs, at_once
        self.running: list[Running] = []
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
        ahead = [job for job in self.jobs if not is_finished(job)]
        say(f"{len(self.jobs)} steps, {len(self.jobs) - len(ahead)} of them finished before")
        self.start_ready(ahead, lock)
        while self.running:
            ended = [each for each in self.running if each.process.poll() is not None]
            for each in ended:
                self.running.remove(each)
                self.finish(each)
            if ended:
                self.start_ready(ahead, lock)
            else:
                sleep(POLL_S)

    def start_ready(self, ahead: list[Job], lock: IO) -> None:
        """Starts the first jobs whose needs are there, and takes them off the list."""
        waiting = [each.job.folder for each in self.running] + [job.folder for job in ahead]
        for job in list(ahead):
            if self.stopped_by is not None or len(self.running) == self.at_once:
                break
            if any(need.folder in self.failed or need in self.skipped for need in job.needs):
                self.skipped.append(job)
            elif any(need.folder in waiting for need in job.needs):
                continue
            else:
                number = len(self.jobs) - len(ahead) + 1 - len(self.skipped)
                self.start(job, f"[{number}/{len(self.jobs)}] {job.name}", lock)
            ahead.remove(job)

    def start(self, job: Job, title: str, lock: IO) -> None:
        """Starts one command; its output goes to `log.txt` in its folder."""
        job.folder.mkdir(parents=True, exist_ok=True)
        started, before = monotonic(), record(job).get("seconds", 0)
        write_record(self.study, job, "started", before)
        slot = min({*range(self.at_once)} - {each.slot for each in self.running})
        say(f"{title} …")
        with (job.folder / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [*LAUNCHER, *job.arguments],
                cwd=BUNDLES / job.bundle,
                env=environment(slot),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
                pass_fds=[lock.fileno()],  # a command that outlives this process keeps the lock
            )
        self.running.append(Running(job, title, slot, process, started, before))
        if self.stopped_by is not None:  # since, and it was not on the list
            process.terminate()

    def finish(self, each: Running) -> None:
        """Records how a command has ended, and says so in one line."""
        job, status = each.job, each.process.returncode
        is_made = status == 0 and job.makes.exists()
        seconds = each.before + monotonic() - each.started
        state = FINISHED if is_made else "failed" if self.stopped_by is None else "stopped"
        write_record(self.study, job, state, seconds)
        if state == "failed":
            self.failed[job.folder] = why(status, job)
        left = f", {self.time_left()}" if self.stopped_by is None else ""
        say(f"{each.title}: {clock(seconds) + left if is_made else state}")

    def stop(self, number: int, frame: object) -> None:
        """Stops the study at a signal."""
        for process in [each.process for each in self.running]:
            if process.poll() is None:
                if self.stopped_by is None:
                    process.terminate()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
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
        left /= min(self.at_once, len(ahead))
        return f"{'about' if len(known) == len(ahead) else 'at least'} {clock(left)} left"

    def report(self) -> int:
        """Prints the unfinished jobs and why; returns the exit status."""
        for job in (job for job in self.jobs if job.folder in self.failed):
            say(f"failed: {job.name}: {self.failed[job.folder]}")
        if self.skipped:
            say(f"not started, because a step before failed: {len(self.skipped)} steps")
        if self.stopped_by is not None:
            done = sum(map(is_finished, self.jobs))
            say(f"stopped: {done} of {len(self.jobs)} steps are done; the same command goes on")
            return 128 + self.stopped_by
        return 1 if self.failed else 0


def clock(seconds: float) -> str:
    """Formats seconds, such as 45 s, 12 min 5 s, or 3 h 10 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def say(text: str) -> None:
    print(text, flush=True)
