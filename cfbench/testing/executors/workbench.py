"""Executors under check, each with a folder for its tasks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cfbench.execution.executor import Executor
from cfbench.execution.task import Outcome, Task
from cfbench.registry.registry import Plugin, Registry
from cfbench.testing.executors.executor_distribution import MODULE
from cfbench.testing.executors.recording_queue import SPLITS, RecordingQueue
from cfbench.testing.rule import RuleBook, Subject


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
            "model": plugin.value,
            "params": {},
            "inputs": str(self.folder / "inputs" / split),
            "output": str(output),
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


executor_rule = RuleBook[Workbench]()
"""Decorator of a rule for executors."""

ISOLATION = ("isolation",)
"""What rules need that apply only to executors which give every cell a process of its own."""


@cache
def _plugins() -> dict[str, Plugin]:
    return {plugin.value: plugin for plugin in Registry.discover().plugins("model")}
