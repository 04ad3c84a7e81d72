"""The contract of an executor plugin: tasks and a queue go in, outcomes come out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, Task


class TaskQueue(Protocol):
    """Where an executor acquires its tasks."""

    @property
    def events(self) -> RunEvents:
        """The listeners of the run, which the executor notifies."""
        ...

    def acquire(self, task: Task) -> bool:
        """Write the inputs that the task reads, right before it is begun.

        Returns False where the task must not be begun: another run on the same folder has acquired it.
        """
        ...


class Executor(Protocol):
    """Carries out tasks; found under the entry-point group ``cfbench.executors``, a dataclass like every plugin.

    A parameter named ``jobs`` takes the value of ``--jobs``, one named ``scheduler`` that of ``--scheduler``.
    """

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Carry out the tasks that can be acquired from ``queue``; yield outcomes as they come, in any order.

        Closing the iterator ends what still runs.
        """
        ...
