"""The executor ``dask``, and its connection to a cluster."""

from __future__ import annotations

import logging
import tempfile
import uuid
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from distributed import Client, LocalCluster
from distributed.comm.addressing import resolve_address
from distributed.versions import VersionMismatchWarning

from cfbench.execution import Outcome, Task, TaskQueue, UsageError
from cfbench.model import require_at_least
from cfbench_dask.rpc import Rpc
from cfbench_dask.worker_pool import WorkerPool

_CONNECT, _CLOSE = 7.0, 2.0  # seconds
_NOTHING_PICKLED = ("dask", "msgpack")
_NOISY = ("distributed", "tornado")


@dataclass(frozen=True)
class DaskExecutor:
    """Runs cells on the workers of a Dask cluster, each in a process of its own there.

    Attributes:
        scheduler: the address of the cluster's scheduler, e.g. ``tcp://host:8786``; where None, a cluster is started on
            this machine for as long as the run lasts.
        jobs: how many workers the cluster that is started here has, one cell at a time each.
        cells_per_worker: how many cells run on a worker at a time, at most as many as it has threads; where None, one
            for so many of its threads as a cell is allowed.
        shared: whether workers read the run's workspace by the same path; where None, each is tried. Workers that do
            not are sent the data through the scheduler, once per split.
        patience: seconds to wait for workers where there are none that can be used.
    """

    scheduler: str | None = None
    jobs: int = 1
    cells_per_worker: int | None = None
    shared: bool | None = None
    patience: float = 60.0

    def __post_init__(self) -> None:
        require_at_least(self, 1, "jobs", "cells_per_worker")
        require_at_least(self, 0, "patience")

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Yield outcomes as cells end.

        Raises UsageError where no scheduler answers, RunError where all workers have gone and none comes in time.
        """
        if not tasks:
            return
        session = uuid.uuid4().hex
        workspace = Path(tasks[0].inputs).parent
        token_file = workspace / f"seen-{session}"
        with suppress(OSError):  # where nothing can be written, nothing is seen, and acquiring a task says why
            token_file.write_text(session)
        try:
            with quiet(), connected(self.scheduler, self.jobs, workspace) as client:
                yield from WorkerPool(self, Rpc(client, session), token_file, tasks, queue).outcomes()
        finally:
            with suppress(OSError):
                token_file.unlink()

    @property
    def cluster(self) -> str:
        """The cluster, as messages name it."""
        return self.scheduler or "the local Dask cluster"

    def places(self, threads: int, threads_per_cell: int) -> int:
        """Return how many cells a worker of so many threads runs at a time: no more than Dask would give it."""
        return max(1, min(self.cells_per_worker or threads // threads_per_cell, threads))


@contextmanager
def connected(scheduler: str | None, jobs: int, workspace: Path) -> Iterator[Client]:
    """Connect to ``scheduler``, or to a cluster of this machine with ``jobs`` workers where it is None.

    Files of that cluster lie in ``workspace``, and go with it where the run is killed. What tasks return is refused
    unless it is plain data: nothing of it is unpickled. Raises UsageError where no scheduler answers.
    """
    if scheduler is not None:
        with _client(scheduler) as client:
            yield client
        return
    workspace.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="cfbench-dask-", dir=workspace) as folder,
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=False,  # cells have processes of their own
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            local_directory=folder,
            memory_limit=None,
            scheduler_kwargs={"local_directory": folder},
            silence_logs=False,
        ) as cluster,
        _client(cluster.scheduler_address) as client,
    ):
        yield client


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        resolve_address(address)  # a client that is given nonsense cannot be closed
        with warnings.catch_warnings():
            # What must be the same everywhere is compared worker by worker, and reported by name.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(
                address, timeout=_CONNECT, set_as_default=False, name="cfbench", deserializers=_NOTHING_PICKLED
            )
    except (OSError, ValueError, ImportError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"no Dask scheduler answers at {address} ({reason}); expected an address like tcp://host:8786, as "
            "`dask scheduler` prints it or cluster.scheduler_address says"
        ) from error
    try:
        yield client
    finally:
        with suppress(OSError):
            client.close(_CLOSE)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask from logging to the terminal: what matters to the run is reported by the run."""
    handlers = {
        handler: handler.level
        for name, logger in list(logging.root.manager.loggerDict.items())
        if name.partition(".")[0] in _NOISY and isinstance(logger, logging.Logger)
        for handler in logger.handlers
    }
    try:
        for handler in handlers:
            handler.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for handler, level in handlers.items():
            handler.setLevel(level)
