"""Runs many tasks on a Dask cluster: a local one, or one that is running already.

A worker that dies costs nothing but time: Dask gives its task to another one.
"""

import logging
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from dask import config
from distributed import Client, LocalCluster, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from ..common.data.dicom.volume import first_line
from ..common.errors import InputError

BUNDLE = str(Path(__file__).resolve().parents[2])
TASKS_PER_WORKER = 4  # submitted at a time; more would only fill the scheduler's memory
SCHEDULER_GONE = "the scheduler is gone; start again: what is finished is kept."
NOT_FINISHED = "not finished"
TIMEOUT_S = 30  # to reach a scheduler


@contextmanager
def connect(workers: int, scheduler: str | None) -> Iterator[Client]:
    """Connects a client to a local cluster, or to one that is running.

    Args:
        workers: processes of a local cluster, of one thread each.
        scheduler: instead, address or scheduler file (JSON) of a running cluster, whose workers
            must see the same folders, this bundle's among them.

    Raises:
        InputError: the scheduler cannot be reached.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _connect_running(scheduler) if scheduler else _start_local(workers) as client:
        yield client


@contextmanager
def _start_local(workers: int) -> Iterator[Client]:
    """Starts a cluster of processes on this machine, which ends with the work."""
    with (
        tempfile.TemporaryDirectory(prefix="corpus_") as scratch,
        config.set({"distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # none: a large volume is no reason to kill its worker
            dashboard_address=None,
            local_directory=scratch,
            silence_logs="CRITICAL",
        ) as local,
        Client(local) as client,
    ):
        yield client


def _connect_running(scheduler: str) -> Client:
    """Connects a client to a cluster that was started by others."""
    try:
        if "://" in scheduler:
            client = Client(scheduler, timeout=TIMEOUT_S)
        else:
            _wait_for(Path(scheduler))
            client = Client(scheduler_file=scheduler, timeout=TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"no scheduler answers at {scheduler}: {error}; start one.") from error
    if not client.nthreads():
        print(f"waiting for a worker of {scheduler}", file=sys.stderr)
    return client


def _wait_for(file: Path) -> None:
    """Waits for the file of a scheduler that was just started; OSError when none comes."""
    end = time.monotonic() + TIMEOUT_S
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.5)
    file.read_bytes()


def run_tasks(
    client: Client, function: Callable, tasks: Iterable[tuple], arguments: tuple = ()
) -> Iterator[tuple[tuple, Any]]:
    """Runs `function(*arguments, *task)` for every task; yields pairs of a task and its result.

    Pairs come in the order in which tasks are finished. A task whose function raised, or that has
    killed one worker after the other, comes with that exception as its result.

    Raises:
        InputError: a task raised one, the scheduler is gone, or workers lack this bundle.
    """
    tasks, pending = iter(tasks), {}

    def call(bundle: str, payload: bytes):
        """Calls the function on a worker, which gets to know `scripts` here.

        Dask sends a function within a function as code, so that no worker has to import it.
        """
        import pickle
        import sys

        if bundle not in sys.path:
            sys.path.insert(0, bundle)
        function, arguments = pickle.loads(payload)
        return function(*arguments)

    completed = as_completed(raise_errors=False)

    def submit() -> None:  # workers may join or leave at any time
        most = max(1, TASKS_PER_WORKER * sum(client.nthreads().values()))
        for task in islice(tasks, max(0, most - len(pending))):
            payload = pickle.dumps((function, (*arguments, *task)))
            future = client.submit(call, BUNDLE, payload, pure=False)
            pending[future] = task
            completed.add(future)

    try:
        submit()
        while pending:
            future = next(completed)
            task = pending.pop(future)
            if future.status in ("cancelled", "lost"):
                raise InputError(SCHEDULER_GONE)
            result = future.exception() if future.status == "error" else future.result()
            future.release()
            submit()
            _raise_mistake(result)
            yield task, result
    except CommClosedError:
        raise InputError(SCHEDULER_GONE) from None


def _raise_mistake(result: Any) -> None:
    """Raises InputError for a result that is a user's mistake and ends the work."""
    if isinstance(result, InputError):
        raise result
    if isinstance(result, ModuleNotFoundError):
        raise InputError(f"a worker has no {result.name}: it needs the packages of this process.")


def describe_failure(error: BaseException) -> tuple[str, str]:
    """Returns kind and detail of a volume on which the work failed."""
    if isinstance(error, KilledWorker):
        return NOT_FINISHED, "the processes that worked on it died, of too little memory perhaps"
    return NOT_FINISHED, first_line(error)
