"""The executor ``dask``, and its connection to a cluster."""

from __future__ import annotations

import logging
import tempfile
import uuid
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from distributed import Client, LocalCluster
from distributed.comm.addressing import resolve_address
from distributed.utils import silence_logging_cmgr
from distributed.versions import VersionMismatchWarning

from cfbench.execution import Outcome, Task, TaskQueue, UsageError, room
from cfbench.model import require_at_least
from cfbench_dask.worker_pool import WaitPolicy, WorkerPool

_CONNECT, _CLOSE = 7.0, 2.0  # seconds


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
        workspace = Path(tasks[0].inputs).parent  # what lies there goes with it where the run is killed
        with room(workspace):
            workspace.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(prefix="cfbench-dask-", dir=workspace, ignore_cleanup_errors=True)
        # Dask does not log to the terminal: what matters to the run is reported by the run.
        with temporary as folder, silence_logging_cmgr(logging.CRITICAL + 1), ExitStack() as stack:
            address = self.scheduler or stack.enter_context(_local_cluster(self.jobs, folder)).scheduler_address
            client, session = stack.enter_context(_connected(address)), uuid.uuid4().hex
            policy = WaitPolicy(self.scheduler or "the local Dask cluster", self.patience, queue.events.note)
            how = (Path(folder), self.cells_per_worker, self.shared)
            yield from WorkerPool(client, session, policy, tasks, queue, *how).outcomes()


def _local_cluster(jobs: int, folder: str) -> LocalCluster:
    return LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        processes=False,  # cells have processes of their own
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        local_directory=folder,
        memory_limit=None,
        scheduler_kwargs={"local_directory": folder},
        silence_logs=False,
    )


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler; raises UsageError where none answers.

    What tasks return is refused unless it is plain data: nothing of it is unpickled.
    """
    try:
        resolve_address(address)  # a client that is given nonsense cannot be closed
        with warnings.catch_warnings():
            # What must be the same everywhere is compared worker by worker, and reported by name.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(
                address, timeout=_CONNECT, set_as_default=False, name="cfbench", deserializers=("dask", "msgpack")
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
        with suppress(OSError, RuntimeError):  # as Dask raises where the scheduler has gone and it tries to connect
            client.close(_CLOSE)
