"""A task queue that records every call."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Task
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.model.protocols import EpochReport
from cfbench.testing.example_ratings import random_ratings

SPLITS = ("one", "two")
"""Names of folders of inputs; each has its own."""


@dataclass(frozen=True)
class Call:
    """A call of a queue or its events.

    Attributes:
        method: the method that was called, or ``"outcome"``.
        task: the name of the task, empty for a note.
        value: the other arguments.
        thread: the thread that called.
    """

    method: str
    task: str
    value: object
    thread: int


class RecordingQueue(RunEvents):
    """A queue that gives out all tasks but the ``refused`` ones, and listens to its own events.

    Attributes:
        calls: all calls, in order.
    """

    def __init__(self, refused: Collection[str] = ()) -> None:
        self.calls: list[Call] = []
        self._refused = refused

    @property
    def events(self) -> RunEvents:
        """The queue itself."""
        return self

    def acquire(self, task: Task) -> bool:
        """Write the inputs of a task that is not refused."""
        self.record("acquire", task.name)
        if task.name in self._refused:
            return False
        write_inputs(task)
        return True

    def cell_started(self, task: Task) -> None:
        """Record the call."""
        self.record("cell_started", task.name)

    def cell_phase(self, task: Task, name: str) -> None:
        """Record the call."""
        self.record("cell_phase", task.name, name)

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """Record the call."""
        self.record("cell_epoch", task.name, report)

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """Record the call."""
        self.record("cell_usage", task.name, (seconds, resident_bytes))

    def note(self, text: str) -> None:
        """Record the call."""
        self.record("note", "", text)

    def record(self, method: str, task: str, value: object = None) -> None:
        """Record a call by this thread."""
        self.calls.append(Call(method, task, value, threading.get_ident()))

    def values(self, method: str, task: str) -> list[object]:
        """Return the values of the calls of a method for a task."""
        return [call.value for call in self.calls if (call.method, call.task) == (method, task)]


def write_inputs(task: Task) -> None:
    """Write a task's inputs, if they are not there, and make its folder."""
    folder = Path(task.inputs)
    if not folder.exists():
        folder.mkdir()
        number = SPLITS.index(folder.name)
        train = random_ratings(n_users=24 + number, seed=number)
        users = np.arange(train.n_users + 1, dtype=np.int32)  # the last is unknown
        EvaluationInputs(train, Queries(users, users % (train.n_items + 1), users), tie_seed=7).write(folder)
    Path(task.output).mkdir(exist_ok=True)
