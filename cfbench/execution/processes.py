"""Executor of cells in processes of their own on this machine: a crash, a leak or a loop loses that cell only."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from cfbench.execution.executor import TaskQueue
from cfbench.execution.supervisor import Supervisor
from cfbench.execution.task import Outcome, Task
from cfbench.model.limits import require_whole


@dataclass(frozen=True)
class ProcessExecutor:
    """Runs up to ``jobs`` cells at a time, each forked from a process that has imported its plugin's libraries.

    Attributes:
        jobs: how many cells run at the same time.
    """

    jobs: int = 1

    def __post_init__(self) -> None:
        require_whole(self, 1, "jobs")

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Yield outcomes as cells end; the next cell starts before an outcome is handed out."""
        supervisor = Supervisor(queue.events, tasks)
        waiting = iter(tasks)
        try:
            self._fill(supervisor, waiting, queue)
            while supervisor.running:
                ended = supervisor.wait()
                try:
                    self._fill(supervisor, waiting, queue)
                except Exception:  # no room for the next cell, say: what these have computed must not go with it
                    yield from ended
                    raise
                yield from ended
        finally:
            supervisor.close()

    def _fill(self, supervisor: Supervisor, waiting: Iterator[Task], queue: TaskQueue) -> None:
        """Start tasks until all places are taken or none is left."""
        while len(supervisor.running) < self.jobs and (task := next(waiting, None)) is not None:
            if queue.acquire(task):
                queue.events.cell_started(task)
                supervisor.start(task)
