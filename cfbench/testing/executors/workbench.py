"""Executors under check, each with a folder for its tasks and a queue that records every call."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.execution.executor import Executor
from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, Task
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.model.protocols import EpochReport
from cfbench.registry.registry import Plugin, Registry
from cfbench.testing.example_ratings import random_ratings
from cfbench.testing.executors.executor_distribution import MODULE
from cfbench.testing.rule import RuleBook, Subject

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
    Path(task.folder).mkdir(exist_ok=True)


@dataclass
class Workbench(Subject):
    """An executor, and a folder for its tasks.

    Attributes:
        executor: the executor.
        folder: an empty folder, for everything that tasks read and write.
    """

    executor: Executor
    folder: Path

    def __post_init__(self) -> None:
        self.name = type(self.executor).__name__
        self.folder = self.folder.absolute()
        for name in ("inputs", "cells"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def task(self, name: str, model: str, split: str = SPLITS[0], **fields: Any) -> Task:
        """Return a task of a model of :mod:`cfbench.testing.executors.executor_models`; ``fields`` replace defaults."""
        plugin = _plugins()[f"{MODULE}:{model}"]
        output = self.folder / "cells" / name
        usual: dict[str, Any] = {
            "name": name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "code": plugin.code,
            "label": plugin.name,
            "import_path": plugin.value,
            "params": {},
            "inputs": str(self.folder / "inputs" / split),
            "folder": str(output),
            "log": f"{output}.log",
            "seed": 3,
            "list_length": 5,
            "device": "cpu",
            "threads": 1,
            "protected": (str(self.folder),),
        }
        return Task(**(usual | fields))

    def begin(self, tasks: Sequence[Task], queue: RecordingQueue) -> Generator[Outcome]:
        """Return the executor's generator of outcomes."""
        outcomes = self.executor(tasks, queue)
        self.require(
            isinstance(outcomes, Generator),
            f"returns a {type(outcomes).__name__}; make __call__ a generator function, which yields outcomes",
        )
        return outcomes

    def run(self, tasks: Sequence[Task], queue: RecordingQueue | None = None) -> list[Outcome]:
        """Run tasks; return what the executor yields."""
        queue = queue or RecordingQueue()
        found = []
        with closing(self.begin(tasks, queue)) as outcomes:
            for outcome in outcomes:
                self.require(
                    isinstance(outcome, Outcome), f"yields {outcome!r:.100}; yield cfbench.execution.task.Outcome"
                )
                queue.record("outcome", outcome.task.name)
                found.append(outcome)
        return found

    def outcomes(self, tasks: Sequence[Task], queue: RecordingQueue | None = None) -> list[Outcome]:
        """Run tasks; return an outcome for each, in their order."""
        found = {outcome.task.name: outcome for outcome in self.run(tasks, queue)}
        lost = [task.name for task in tasks if task.name not in found]
        self.require(not lost, f"ends without an outcome of {', '.join(lost)}; yield one for every acquired task")
        return [found[task.name] for task in tasks]

    def require_status(self, outcome: Outcome, status: str, case: str, advice: str) -> None:
        """Require the status of an outcome, with a reason unless it is ok.

        Messages read: "yields the outcome ... for CASE; it must be STATUS, ADVICE".
        """
        self.require(
            outcome.status == status and (status == "ok" or outcome.reason),
            f"yields the outcome {outcome.status!r}: {outcome.reason!r} for {case}; it must be {status!r}, {advice}",
        )


executor_rule = RuleBook[Workbench]()
"""Decorator of a rule for executors."""

ISOLATION = ("isolation",)
"""What rules need that apply only to executors which give every cell a process of its own."""


@cache
def _plugins() -> dict[str, Plugin]:
    return {plugin.value: plugin for plugin in Registry.discover().plugins("model")}
