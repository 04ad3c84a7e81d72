"""The executor ``dask``."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cfbench.execution.executor import TaskQueue
from cfbench.execution.task import Outcome, Task
from cfbench.model.limits import require_at_least
from cfbench_dask.connection import quiet
from cfbench_dask.crew import Crew
from cfbench_dask.terms import ResourceLimits


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
        token_file = Path(tasks[0].inputs).parent / f"seen-{session}"
        with suppress(OSError):  # where nothing can be written, nothing is seen, and admission tells
            token_file.write_text(session)
        terms = ResourceLimits(self.scheduler, self.jobs, self.cells_per_worker, self.shared, self.patience)
        with quiet():
            crew = Crew(terms, session, str(token_file), tasks, queue)
            try:
                crew.begin()
                yield from crew.dispatch.outcomes()
            finally:
                crew.end()
                with suppress(OSError):
                    token_file.unlink()
