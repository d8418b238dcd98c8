"""Many tasks on a Dask cluster: a local one, or one that is running already.

A worker that dies costs nothing but time: Dask gives its task to another one.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from dask import config
from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from ..command_line import InputError

WAITING = 4  # tasks that a worker finds waiting; more would only fill the scheduler's memory
TIMEOUT_S = 30  # to reach a scheduler


@contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A client of a cluster.

    Args:
        workers: processes of a local cluster, of one thread each.
        scheduler: instead, address or scheduler file (JSON) of one that is running; its workers
            must see the same folders and have been started in the bundle's folder.

    Raises:
        InputError: the scheduler cannot be reached, or its workers lack the bundle's scripts.
    """
    if not scheduler:
        with (
            tempfile.TemporaryDirectory(prefix="corpus_") as scratch,
            config.set({"distributed.worker.memory.terminate": False}),
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=None,  # a large volume is no reason to kill its worker
                dashboard_address=None,
                local_directory=scratch,
                silence_logs="CRITICAL",
            ) as local,
            Client(local) as client,
        ):
            yield client
        return
    where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**where, timeout=TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"no scheduler answers at {scheduler}: {error}; start one.") from error
    with client:
        yield client


def results(
    client: Client, function: Callable, tasks: Iterable[tuple], arguments: tuple = ()
) -> Iterator[tuple[tuple, Any]]:
    """Pairs of a task and what `function(*arguments, *task)` made of it, as they are finished.

    A task whose function raised, or that has killed one worker after the other, comes with that
    exception as its result.

    Raises:
        InputError: a task met one, or the scheduler is gone.
    """
    tasks, pending = iter(tasks), {}
    done = as_completed(raise_errors=False)

    def submit() -> None:  # workers may join or leave at any time
        wanted = max(1, WAITING * sum(client.nthreads().values()))
        for task in islice(tasks, max(0, wanted - len(pending))):
            future = client.submit(function, *arguments, *task, pure=False)
            pending[future] = task
            done.add(future)

    submit()
    while pending:
        future = next(done)
        task = pending.pop(future)
        if future.status in ("cancelled", "lost"):
            raise InputError("the scheduler is gone; start again: what is finished is kept.")
        result = future.exception() if future.status == "error" else future.result()
        future.release()
        submit()
        if isinstance(result, InputError):
            raise result
        yield task, result


def reason(error: BaseException) -> tuple[str, str]:
    """Kind and detail of a volume on which the work failed."""
    if isinstance(error, KilledWorker):
        return "not finished", "the processes that worked on it died, of too little memory perhaps"
    return "not finished", f"{type(error).__name__}: {error}".splitlines()[0]
