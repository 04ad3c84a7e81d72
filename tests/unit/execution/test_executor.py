"""Cells in processes: what has been computed is handed out, whatever happens to the next cell."""

from __future__ import annotations

import pytest

from cfbench.errors import StoreError
from cfbench.execution import executors
from cfbench.execution.contract import Outcome, RunEvents, Task
from cfbench.execution.executors import ProcessExecutor


class Clockwork:
    """Stands in for the supervisor: every task that was started ends when it is waited for."""

    def __init__(self, events, tasks, *, fresh):
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

    def __init__(self, error):
        self.error = error
        self.acquired = []
        self.events = RunEvents()

    def acquire(self, task):
        if self.acquired:
            raise self.error
        self.acquired.append(task.name)
        return True


@pytest.fixture
def outcomes_of_two(monkeypatch):
    """Outcomes of two cells whose second meets an error before it starts."""
    monkeypatch.setattr(executors, "Supervisor", Clockwork)
    tasks = [
        Task(name, "home", name, "module:Class", {}, "questions", "output", "log", 0, 1, "cpu", 1)
        for name in ("a", "b")
    ]
    return lambda error: ProcessExecutor()(tasks, FullQueue(error))


def test_what_ended_is_not_lost_where_the_next_cell_finds_no_room(outcomes_of_two):
    outcomes = outcomes_of_two(StoreError("the disk is full"))
    assert next(outcomes).task.name == "a"
    with pytest.raises(StoreError, match="full"):
        next(outcomes)


def test_an_interrupt_is_raised_at_once_so_that_no_consumer_can_lose_it(outcomes_of_two):
    with pytest.raises(KeyboardInterrupt):
        next(outcomes_of_two(KeyboardInterrupt()))
