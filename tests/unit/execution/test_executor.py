"""Cells in processes: what has been computed is handed out, whatever happens to the next cell."""

from __future__ import annotations

import pytest

from cfbench.errors import StoreError
from cfbench.execution import executors
from cfbench.execution.contract import Outcome, RunEvents, Task
from cfbench.execution.executors import ProcessExecutor


class Clockwork:
    """Stands in for the supervisor: every task that was started ends when it is waited for."""

    def __init__(self, events, tasks):
        self.running = {}

    def start(self, task):
        self.running[task.name] = task

    def wait(self):
        ended = [Outcome(task, "ok") for task in self.running.values()]
        self.running.clear()
        return ended

    def close(self): ...


class FullQueue:
    """Has room for one cell."""

    def __init__(self):
        self.acquired = []
        self.events = RunEvents()

    def acquire(self, task):
        if self.acquired:
            raise StoreError("the disk is full")
        self.acquired.append(task.name)
        return True


def test_what_ended_is_not_lost_where_the_next_cell_finds_no_room(monkeypatch):
    monkeypatch.setattr(executors, "Supervisor", Clockwork)
    tasks = [
        Task(name, "home", name, "module:Class", {}, "questions", "output", "log", 0, 1, "cpu", 1)
        for name in ("a", "b")
    ]
    outcomes = ProcessExecutor()(tasks, FullQueue())
    assert next(outcomes).task.name == "a"
    with pytest.raises(StoreError, match="full"):
        next(outcomes)
