"""Executors on this machine: cells in processes of their own, or one after another in the present process."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Container, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from cfbench.errors import UsageError
from cfbench.execution.contract import Outcome, Task, TaskQueue
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.supervisor import Supervisor
from cfbench.model.limits import require_whole

_WINDOW = 2  # tasks for each job, of which the next one is chosen


@dataclass(frozen=True)
class ProcessExecutor:
    """Executor of up to ``jobs`` cells at a time, each forked from a process that has imported its plugin's libraries.

    A crash, a leak or a loop loses that cell only.

    Attributes:
        jobs: how many cells run at the same time.
        fresh: whether every cell imports its plugin itself, in a process that no code of it has run in before. That
            takes longer, and leaves a plugin's import nothing to share between its cells.
    """

    jobs: int = 1
    fresh: bool = False

    def __post_init__(self) -> None:
        require_whole(self, 1, "jobs")

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Yield outcomes as cells end; the next cell starts before an outcome is handed out."""
        waiting = _Waiting(list(tasks), 1 if self.jobs == 1 else _WINDOW * self.jobs)
        with closing(Supervisor(queue.events, tasks, fresh=self.fresh)) as supervisor:
            self._fill(supervisor, waiting, queue)
            while supervisor.running:
                ended = supervisor.wait()
                for one in ended:
                    waiting.has_ended(one.task)
                try:
                    self._fill(supervisor, waiting, queue)
                except Exception:  # no room for the next cell, say: what these have computed must not go with it
                    yield from (one.outcome() for one in ended)
                    raise
                yield from (one.outcome() for one in ended)
                supervisor.keep(waiting.distributions())  # libraries hold memory

    def _fill(self, supervisor: Supervisor, waiting: _Waiting, queue: TaskQueue) -> None:
        """Start tasks until ``jobs`` of them run or none is left."""
        while len(supervisor.running) < self.jobs and waiting.tasks:
            task = waiting.next(supervisor.importing)
            supervisor.make_ready(task)
            if queue.acquire(task):
                queue.events.cell_started(task)
                supervisor.start(task)
            else:
                waiting.is_done(task)


class _Waiting:
    """Tasks that wait, of which models that have taken long before come a little earlier.

    So the last job does not begin the longest cell when all others are done. No task is begun much earlier than its
    turn, since the inputs of a split are there from its first cell to its last.
    """

    def __init__(self, tasks: list[Task], window: int) -> None:
        """Take the tasks in order, and out of how many the next one is chosen."""
        self.tasks, self._window = tasks, window
        self._left = Counter(task.distribution for task in tasks)
        self._began: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def next(self, importing: Container[str]) -> Task:
        """Take the next one: rather of a distribution that is not ``importing``, of a model that has not run yet."""
        task = max(
            self.tasks[: self._window],
            key=lambda one: (one.distribution not in importing, self._seconds.get(one.label, math.inf)),
        )
        self.tasks.remove(task)
        self._began[task.name] = time.monotonic()
        return task

    def has_ended(self, task: Task) -> None:
        """Take note of how long a task has taken."""
        self._seconds[task.label] = time.monotonic() - self._began[task.name]
        self.is_done(task)

    def is_done(self, task: Task) -> None:
        """Take note that a task has ended, or that another run has it."""
        self._left[task.distribution] -= 1

    def distributions(self) -> set[str]:
        """Return the distributions of tasks that wait or run."""
        return {distribution for distribution, tasks in self._left.items() if tasks}


@dataclass(frozen=True)
class InProcessExecutor:
    """Executor of one cell after another in the present process; limits of time and memory are not enforced.

    It is meant for debuggers: a crash ends the run.
    """

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
