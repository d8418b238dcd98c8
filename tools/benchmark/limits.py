"""Keeps the time that a measurement may take: ends its processes when it is over."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Timer

from tools import ROOT


@contextmanager
def ended_after(limit_s: float, end: Callable[[], None], name: str) -> Iterator[None]:
    """Ends what runs in the `with` block after a time.

    Args:
        limit_s: the time.
        end: makes the block raise a `SystemExit`, which then says that the time was over.
        name: of what is ended.
    """
    is_over = Event()

    def fire() -> None:
        is_over.set()
        end()

    timer = Timer(limit_s, fire)
    timer.start()
    try:
        yield
    except SystemExit:
        if is_over.is_set():
            raise SystemExit(f"{name} was ended after {limit_s:.0f} s") from None
        raise
    finally:
        timer.cancel()


def limited(command: list[str], limit_s: float) -> subprocess.CompletedProcess:
    """Runs a command in the repository with captured output; after a time ends all it has started.

    Raises:
        SystemExit: the time was over.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # one group to end: what a child has started keeps the pipes open
    )
    try:
        stdout, stderr = process.communicate(timeout=limit_s)
    except BaseException as error:  # Ctrl-C too, which does not reach the group
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise SystemExit(f"it was ended after {limit_s:.0f} s") from None
        raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
