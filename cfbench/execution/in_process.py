"""Executor of cells one after another in the present process: for debuggers; a crash ends the run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from cfbench.errors import UsageError
from cfbench.execution.executor import TaskQueue
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.task import Outcome, Task


@dataclass(frozen=True)
class InProcessExecutor:
    """Carries out cells here, in order; limits of time and memory are not enforced."""

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Yield the outcome of every task that is acquired.

        Raises UsageError where a time limit is asked for: nobody could end a cell that runs here.
        """
        if any(task.timeout is not None for task in tasks):
            raise UsageError("--timeout needs cells in processes of their own; leave it or the in-process executor out")
        for task in tasks:
            if queue.acquire(task):
                queue.events.cell_started(task)
                yield perform(task, partial(queue.events.cell_epoch, task), partial(queue.events.cell_phase, task))
