"""Conformance checks of executors: every rule, to be called with an executor and an empty folder.

An executor under check has a folder for its tasks, models to run, and a queue that records every call.
"""

from __future__ import annotations

import atexit
import importlib
import sys
import threading
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from cfbench.execution.contract import Executor, Outcome, RunEvents, Task
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.model import EpochReport
from cfbench.registry.registry import Plugin, Registry
from cfbench.testing.model_checks import random_ratings
from cfbench.testing.rule import Rule, RuleBook, Subject, require_known

SPLITS = ("one", "two")
"""Names of folders of inputs; each has its own."""

# The distribution of models that executors are checked with: written where it is needed, installed nowhere.
_MODULE, _DISTRIBUTION, _VERSION = "cfbench_executor_models", "cfbench-executor-models", "1.0"
_CLASSES = ("Learner", "Mean", "Echo", "Talker", "Reporter", "Vandal", "Dies", "Parent", "Sleeper", "Hoarder")

# Fields of tasks, unless a rule says otherwise.
_FIELDS: dict[str, Any] = {"params": {}, "seed": 3, "list_length": 5, "device": "cpu", "threads": 1}


class Call(NamedTuple):
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
        events: the queue itself.
    """

    def __init__(self, refused: Collection[str] = ()) -> None:
        self.calls: list[Call] = []
        self.events: RunEvents = self
        self._refused = refused

    def acquire(self, task: Task) -> bool:
        """Write the inputs of a task that is not refused."""
        self.record("acquire", task.name)
        granted = task.name not in self._refused
        if granted:
            write_inputs(task)
        return granted

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
        EvaluationInputs(train, Queries(users, np.stack([users, users % (train.n_items + 1)])), tie_seed=7).write(
            folder
        )
    Path(task.folder).mkdir(exist_ok=True)


class Workbench(Subject):
    """An executor, and a folder for its tasks.

    Attributes:
        name: what messages call the executor.
        executor: the executor.
        folder: an empty folder, for everything that tasks read and write.
    """

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.name, self.executor, self.folder = type(executor).__name__, executor, folder.absolute()
        for part in ("inputs", "cells"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def task(self, name: str, model: str, split: str = SPLITS[0], **fields: Any) -> Task:
        """Return a task of a model of :mod:`cfbench.testing.executors.executor_models`; ``fields`` replace defaults."""
        plugin = _plugins()[f"{_MODULE}:{model}"]
        folder = self.folder / "cells" / name
        return Task(
            name=name,
            distribution=plugin.distribution,
            version=plugin.version,
            code=plugin.code,
            label=plugin.name,
            import_path=plugin.value,
            inputs=str(self.folder / "inputs" / split),
            folder=str(folder),
            log=f"{folder}.log",
            **(_FIELDS | fields),
        )

    def begin(self, tasks: Sequence[Task], queue: RecordingQueue) -> Generator[Outcome]:
        """Return the executor's generator of outcomes."""
        outcomes = self.executor(tasks, queue)
        advice = "make __call__ a generator function, which yields outcomes"
        self.require(isinstance(outcomes, Generator), f"returns a {type(outcomes).__name__}; {advice}")
        return outcomes

    def run(self, tasks: Sequence[Task], queue: RecordingQueue | None = None) -> list[Outcome]:
        """Run tasks; return what the executor yields."""
        queue = queue or RecordingQueue()
        found = []
        with closing(self.begin(tasks, queue)) as outcomes:
            for outcome in outcomes:
                advice = "yield cfbench.execution.Outcome"
                self.require(isinstance(outcome, Outcome), f"yields {outcome!r:.100}; {advice}")
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
"""Decorator of a rule for executors; ``"isolation"`` is needed where every cell must have a process of its own."""


@dataclass(frozen=True)
class ExecutorCheck:
    """A rule for executors; call it with one to run it.

    Attributes:
        rule: what is checked.
        expected_failure: why executors may break the rule, or an empty text.
    """

    rule: Rule[Workbench]
    expected_failure: str = ""

    def __str__(self) -> str:
        return self.rule.name

    def __call__(self, executor: Executor, folder: Path) -> None:
        """Run the check in an empty folder.

        Raises AssertionError, with advice to the executor's author, unless the executor conforms. One that conforms
        where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        with installed_models():
            self.rule.apply_to(Workbench(executor, folder), self.expected_failure)


def executor_checks(
    *, isolates: bool = True, expected_failures: Mapping[str, str] | None = None
) -> list[ExecutorCheck]:
    """Return the checks of an executor.

    Args:
        isolates: whether it gives every cell a process of its own, under the limits that its task has.
        expected_failures: a reason for each check that may fail, by ``str(check)``.

    Raises UnknownNameError where a name in ``expected_failures`` fits no check.
    """
    reasons = expected_failures or {}
    rules = executor_rule.for_capabilities(["isolation"] if isolates else [])
    require_known(reasons, [rule.name for rule in rules])
    return [ExecutorCheck(rule, reasons.get(rule.name, "")) for rule in rules]


def models_for_executors(folder: Path) -> Path:
    """Write the models that the checks run into ``folder``, which is made where it is missing, and return it.

    The workers of an executor that starts no process on this machine need it on their ``PYTHONPATH``.
    """
    info = folder / f"{_MODULE}-{_VERSION}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("executor_models.py").read_text(encoding="utf-8")
    (folder / f"{_MODULE}.py").write_text(source, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_DISTRIBUTION}\nVersion: {_VERSION}\n", "utf-8")
    names = [f"check-{name.lower()} = {_MODULE}:{name}" for name in _CLASSES]
    (info / "entry_points.txt").write_text("\n".join(["[cfbench.models]", *names, ""]), "utf-8")
    # Without a list of its files, whatever else lies in the folder would count as its code.
    (info / "RECORD").write_text(f"{_MODULE}.py,,\n", "utf-8")
    return folder


@contextmanager
def installed_models() -> Iterator[None]:
    """Keep the models on the path of this process for a while."""
    folder = str(_folder())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)


@cache
def _folder() -> Path:
    """Return one folder for all checks of this process, which remembers where it has found a module."""
    folder = TemporaryDirectory(prefix="cfbench-executor-models-")
    atexit.register(folder.cleanup)
    return models_for_executors(Path(folder.name))


@cache
def _plugins() -> dict[str, Plugin]:
    return {plugin.value: plugin for plugin in Registry.discover().plugins("model")}
