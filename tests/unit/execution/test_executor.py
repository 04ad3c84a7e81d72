"""Cells in processes: what has been computed is handed out, whatever happens to the next cell."""

from __future__ import annotations

from functools import partial

import pytest

from cfbench.errors import StoreError
from cfbench.execution import executors
from cfbench.execution.contract import Outcome, RunEvents, Task
from cfbench.execution.executors import ProcessExecutor
from cfbench.execution.supervisor import Ended


def ended_well(task):
    return Ended(task, partial(Outcome, task, "ok"))


class Clockwork:
    """Stands in for the supervisor: every task that was started ends when it is waited for."""

    def __init__(self, events, tasks, *, fresh):
        self.running, self.importing, self.ready = {}, set(), []

    def make_ready(self, task):
        self.ready.append(task.name)

    def start(self, task):
        self.running[task.name] = task

    def wait(self):
        ended = [ended_well(task) for task in self.running.values()]
        self.running.clear()
        return ended

    def keep(self, needed): ...

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


def test_libraries_are_imported_while_the_inputs_of_a_cell_are_written(monkeypatch, outcomes_of_two):
    made = []
    monkeypatch.setattr(Clockwork, "make_ready", lambda _, task: made.append(task.name))
    outcomes = outcomes_of_two(StoreError("the disk is full"))
    monkeypatch.setattr(FullQueue, "acquire", lambda _, task: bool(made.append(f"inputs of {task.name}")))
    assert list(outcomes) == []  # another run has them all
    assert made == ["a", "inputs of a", "b", "inputs of b"]


def test_the_next_cell_starts_before_what_the_last_one_left_is_read(begun, monkeypatch):
    read = []
    monkeypatch.setattr(Timed, "wait", lambda self: [slow_to_read(self, read)])
    assert begun(1, "quick", "quick") == ["quick", "quick"]
    assert read == [1, 0], "cells that run while an outcome is read"


def slow_to_read(supervisor, read):
    (task,) = supervisor.running.values()
    supervisor.running.clear()
    return Ended(task, lambda: read.append(len(supervisor.running)) or Outcome(task, "ok"))


def test_an_interrupt_is_raised_at_once_so_that_no_consumer_can_lose_it(outcomes_of_two):
    with pytest.raises(KeyboardInterrupt):
        next(outcomes_of_two(KeyboardInterrupt()))


class Timed(Clockwork):
    """A supervisor whose tasks take as long as their models are said to: the one that ends first is waited for."""

    def __init__(self, events, tasks, *, fresh):
        super().__init__(events, tasks, fresh=fresh)
        self.now, self.ends = 0.0, {}

    def start(self, task):
        super().start(task)
        self.ends[task.name] = self.now + {"quick": 1.0, "slow": 5.0, "middle": 2.0}[task.label]

    def wait(self):
        first = min(self.running, key=self.ends.__getitem__)
        self.now = self.ends[first]
        return [ended_well(self.running.pop(first))]


@pytest.fixture
def begun(monkeypatch):
    """The order in which tasks are begun, by their models, for a number of jobs."""

    def order(jobs, *models):
        timed = Timed(None, (), fresh=False)
        monkeypatch.setattr(executors, "Supervisor", lambda *_, **__: timed)
        monkeypatch.setattr(executors.time, "monotonic", lambda: timed.now)
        tasks = [
            Task(f"{model} {number}", home, model, "module:Class", {}, "questions", "output", "log", 0, 1, "cpu", 1)
            for number, (model, _, home) in enumerate(text.partition(" of ") for text in models)
        ]
        queue = FullQueue(None)
        queue.acquire = lambda task: queue.acquired.append(task.name) or True
        assert {one.task.name for one in ProcessExecutor(jobs=jobs)(tasks, queue)} == {task.name for task in tasks}
        return [name.partition(" ")[0] for name in queue.acquired]

    return order


def test_with_several_jobs_models_that_take_long_begin_a_little_earlier(begun):
    fold = ("quick", "middle", "slow")
    assert begun(1, *fold, *fold) == [*fold, *fold]
    assert begun(2, *fold, *fold) == [*fold, "slow", "middle", "quick"]
    assert begun(2, *fold, *fold, *fold)[-1] == "quick"


def test_a_plugin_of_which_no_task_is_left_holds_no_memory_any_more(begun, monkeypatch):
    kept = []
    monkeypatch.setattr(Timed, "keep", lambda _, needed: kept.append(sorted(needed)))
    begun(1, "quick of a", "slow of a", "quick of b")
    assert kept == [["a", "b"], ["b"], []]


def test_no_task_waits_for_ever_behind_longer_ones(begun):
    order = begun(2, "slow", "middle", "quick", *["slow"] * 20)
    assert order.index("quick") < 8
    order = begun(2, "slow", "quick", "quick", "quick", "quick", *["slow"] * 20)
    assert order[:2] == ["slow", "quick"]
    assert order.count("quick") == 4


def test_the_second_job_begins_with_what_does_not_wait_for_the_import_of_the_first(begun, monkeypatch):
    start = Timed.start

    def importing(self, task):
        start(self, task)
        self.importing = {task.distribution}

    monkeypatch.setattr(Timed, "start", importing)
    assert begun(2, "slow", "slow", "quick")[:2] == ["slow", "slow"], "all are of one distribution"
    assert begun(2, "slow", "slow", "quick of another")[:2] == ["slow", "quick"]
