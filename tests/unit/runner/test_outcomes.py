"""What executors give back is checked, and their mistakes are told as their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfbench.errors import PluginError, StoreError
from cfbench.execution.contract import Outcome, Task
from cfbench.runner.dispatch import outcomes_of


class TaskQueue:
    refused: tuple[str, ...] = ()


def task(name: str) -> Task:
    return Task(name, "home", name, "m:C", {}, "q", "o", "l", 0, 10, "cpu", 1)


TASKS = [task("a"), task("b")]


def good(tasks, queue):
    yield from (Outcome(one, "ok") for one in tasks)


def lazy(tasks, queue):
    yield Outcome(tasks[0], "ok")


def raising(tasks, queue):
    yield Outcome(tasks[0], "ok")
    raise ValueError("boom")


def junk(tasks, queue):
    yield "junk"


def twice(tasks, queue):
    yield Outcome(tasks[0], "ok")
    yield Outcome(tasks[0], "ok")


def elsewhere(tasks, queue):
    yield Outcome(replace(tasks[0], folder="/where/a/worker/has/it"), "ok")


def full(tasks, queue):
    yield Outcome(tasks[0], "ok")
    raise StoreError("no room")


def test_every_outcome_is_passed_on():
    assert [outcome.task.name for outcome in outcomes_of(good, TASKS, TaskQueue())] == ["a", "b"]


def test_what_was_refused_needs_no_outcome():
    queue = TaskQueue()
    queue.refused = ("b",)
    assert len(list(outcomes_of(lazy, TASKS, queue))) == 1


@pytest.mark.parametrize(
    ("executor", "wrong"),
    [
        (lazy, "ended without an outcome for 1 of 2 cells"),
        (raising, "executor function failed: ValueError: boom"),
        (junk, "must yield one Outcome for each task, got junk"),
        (twice, "must yield one Outcome for each task"),
        (elsewhere, "changed a's task; it must give it back as it was, paths too"),
        (lambda tasks, queue: [], "must be a generator function, got list"),
    ],
)
def test_an_executors_mistake_is_told_as_its_own(executor, wrong):
    with pytest.raises(PluginError, match=wrong):
        list(outcomes_of(executor, TASKS, TaskQueue()))


def test_errors_of_cfbench_pass_as_they_are():
    with pytest.raises(StoreError, match="no room"):
        list(outcomes_of(full, TASKS, TaskQueue()))


def test_leaving_early_closes_the_executor():
    closed = []

    def endless(tasks, queue):
        try:
            yield from good(tasks, queue)
        finally:
            closed.append(True)

    outcomes = outcomes_of(endless, TASKS, TaskQueue())
    next(outcomes)
    outcomes.close()
    assert closed == [True]
