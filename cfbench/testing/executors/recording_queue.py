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
"""Names of folders of questions; each has its own."""


@dataclass(frozen=True)
class Heard:
    """A call of a queue or its events.

    Attributes:
        kind: the method that was called, or ``"outcome"``.
        task: the name of the task, empty for a note.
        what: what was said of it.
        thread: the thread that said it.
    """

    kind: str
    task: str
    what: object
    thread: int


class RecordingQueue(RunEvents):
    """Gives out all tasks but those it is told to refuse, and listens to its own events.

    Attributes:
        heard: all calls, in order.
    """

    def __init__(self, refused: Collection[str] = ()) -> None:
        self.heard: list[Heard] = []
        self._refused = refused

    @property
    def events(self) -> RunEvents:
        """The queue itself."""
        return self

    def acquire(self, task: Task) -> bool:
        """Write the inputs of a task that is not refused."""
        self.hear("acquire", task.name)
        if task.name in self._refused:
            return False
        lay_out(task)
        return True

    def cell_started(self, task: Task) -> None:
        """Record the call."""
        self.hear("cell_started", task.name)

    def cell_phase(self, task: Task, name: str) -> None:
        """Record the call."""
        self.hear("cell_phase", task.name, name)

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """Record the call."""
        self.hear("cell_epoch", task.name, report)

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """Record the call."""
        self.hear("cell_usage", task.name, (seconds, resident_bytes))

    def note(self, text: str) -> None:
        """Record the call."""
        self.hear("note", "", text)

    def hear(self, kind: str, task: str, what: object = None) -> None:
        """Record a call."""
        self.heard.append(Heard(kind, task, what, threading.get_ident()))

    def told(self, kind: str, task: str) -> list[object]:
        """Return what was said of a task, by calls of one kind."""
        return [one.what for one in self.heard if (one.kind, one.task) == (kind, task)]


def lay_out(task: Task) -> None:
    """Write a task's questions, if they are not there, and make its folder."""
    questions = Path(task.inputs)
    if not questions.exists():
        questions.mkdir()
        _questions(questions.name).write(questions)
    Path(task.output).mkdir(exist_ok=True)


def _questions(split: str) -> EvaluationInputs:
    number = SPLITS.index(split)
    train = random_ratings(n_users=24 + number, seed=number)
    users = np.arange(train.n_users + 1, dtype=np.int32)  # the last is unknown
    return EvaluationInputs(train, Queries(users, users % (train.n_items + 1), users), tie_seed=7)
