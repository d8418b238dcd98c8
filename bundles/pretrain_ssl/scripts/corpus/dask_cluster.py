"""Many tasks on a Dask cluster: a local one, or one that is running already.

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
WAITING = 4  # tasks that a worker finds waiting; more would only fill the scheduler's memory
GONE = "the scheduler is gone; start again: what is finished is kept."
NOT_FINISHED = "not finished"
TIMEOUT_S = 30  # to reach a scheduler


@contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A client of a cluster.

    Args:
        workers: processes of a local cluster, of one thread each.
        scheduler: instead, address or scheduler file (JSON) of one that is running; its workers
            must see the same folders, this bundle's among them.

    Raises:
        InputError: the scheduler cannot be reached.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _running(scheduler) if scheduler else _local(workers) as client:
        yield client


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """A cluster of processes of this machine, which ends with the work."""
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


def _running(scheduler: str) -> Client:
    """A client of a cluster that was started by others."""
    try:
        if "://" in scheduler:
            client = Client(scheduler, timeout=TIMEOUT_S)
        else:
            _await(Path(scheduler))
            client = Client(scheduler_file=scheduler, timeout=TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"no scheduler answers at {scheduler}: {error}; start one.") from error
    if not client.nthreads():
        print(f"waiting for a worker of {scheduler}", file=sys.stderr)
    return client


def _await(file: Path) -> None:
    """A scheduler that was just started writes its file late; OSError when none comes."""
    end = time.monotonic() + TIMEOUT_S
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.5)
    file.read_bytes()


def results(
    client: Client, function: Callable, tasks: Iterable[tuple], arguments: tuple = ()
) -> Iterator[tuple[tuple, Any]]:
    """Pairs of a task and what `function(*arguments, *task)` made of it, as they are finished.

    A task whose function raised, or that has killed one worker after the other, comes with that
    exception as its result.

    Raises:
        InputError: a task met one, the scheduler is gone, or workers lack this bundle.
    """
    tasks, pending = iter(tasks), {}

    def call(bundle: str, payload: bytes):
        """On a worker, which knows `scripts` only then: a function in a function travels whole."""
        import pickle
        import sys

        if bundle not in sys.path:
            sys.path.insert(0, bundle)
        function, arguments = pickle.loads(payload)
        return function(*arguments)

    done = as_completed(raise_errors=False)

    def submit() -> None:  # workers may join or leave at any time
        wanted = max(1, WAITING * sum(client.nthreads().values()))
        for task in islice(tasks, max(0, wanted - len(pending))):
            payload = pickle.dumps((function, (*arguments, *task)))
            future = client.submit(call, BUNDLE, payload, pure=False)
            pending[future] = task
            done.add(future)

    try:
        submit()
        while pending:
            future = next(done)
            task = pending.pop(future)
            if future.status in ("cancelled", "lost"):
                raise InputError(GONE)
            result = future.exception() if future.status == "error" else future.result()
            future.release()
            submit()
            yield task, _checked(result)
    except CommClosedError:
        raise InputError(GONE) from None


def _checked(result: Any) -> Any:
    """A task's result, where it is no mistake that ends the work."""
    if isinstance(result, InputError):
        raise result
    if isinstance(result, ModuleNotFoundError):
        raise InputError(f"a worker has no {result.name}: it needs the packages of this process.")
    return result


def reason(error: BaseException) -> tuple[str, str]:
    """Kind and detail of a volume on which the work failed."""
    if isinstance(error, KilledWorker):
        return NOT_FINISHED, "the processes that worked on it died, of too little memory perhaps"
    return NOT_FINISHED, first_line(error)
