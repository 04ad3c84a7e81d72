"""Tasks are given out once, in order, by the run's own thread; what is left over when a worker goes is not lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from cfbench.errors import RunError
from cfbench.execution.task import Outcome
from cfbench_dask import crew as crew_module
from cfbench_dask.crew import Crew
from cfbench_dask.dispatch import Dispatch, concluding
from cfbench_dask.inventory import Inventory
from cfbench_dask.terms import ResourceLimits
from cfbench_dask.worker import KnownWorker


@pytest.fixture
def tasks(make_task):
    return [make_task(name, "bias", split) for name, split in (("a", "one"), ("b", "one"), ("c", "two"))]


def test_questions_are_through_with_their_last_task_refused_ones_included(tasks, queue):
    through, given = [], []
    queue.refused = frozenset({"b"})
    dispatch = Dispatch(tasks, queue, lambda questions: through.append(questions.rpartition("/")[2]))
    for _ in range(3):
        dispatch.give(lambda _task: True, given.append)
    assert given == [tasks[0], tasks[2], None]
    assert through == []
    dispatch.ask(concluding(dispatch, Outcome(tasks[0], "ok")))
    dispatch.ask(concluding(dispatch, Outcome(tasks[2], "ok")))
    assert [outcome.task.name for outcome in dispatch.outcomes()] == ["a", "c"]
    assert through == ["one", "two"]


def test_the_first_task_that_suits_is_given(tasks, queue):
    given = []
    Dispatch(tasks, queue, print).give(lambda task: task.inputs.endswith("two"), given.append)
    assert given == [tasks[2]]
    assert [(name, kind) for name, kind, _ in queue.heard] == [("c", "cell_started")]


def test_an_error_elsewhere_is_raised_in_the_runs_thread(tasks, queue):
    dispatch = Dispatch(tasks, queue, print)
    dispatch.fail(RunError("on purpose"))
    with pytest.raises(RunError, match="on purpose"):
        next(dispatch.outcomes())


def test_progress_is_dropped_where_the_run_is_busy_and_remarks_are_not(tasks, queue):
    dispatch = Dispatch(tasks, queue, print)
    heard = []
    for number in range(5000):
        dispatch.tell(lambda number=number: heard.append(number))
    dispatch.note("a remark")
    for task in tasks:
        dispatch.waiting.remove(task)
        dispatch.ask(concluding(dispatch, Outcome(task, "failed")))
    assert len(list(dispatch.outcomes())) == 3
    assert heard == list(range(1000))
    assert queue.notes == ["a remark"]


@pytest.mark.parametrize("too_late", [True, False])
def test_a_task_that_comes_as_its_worker_goes_is_offered_to_others(tasks, queue, too_late):
    crew = Crew(ResourceLimits(None, 1, None, None, 60), "session", "", tasks, queue)
    first = tasks[0]
    has = Inventory.of_this_machine([(first.distribution, first.model)])
    worker = KnownWorker("w", 1, post="p", has=has)

    async def lose_it():
        asking = asyncio.ensure_future(crew._new_task(worker))
        await asyncio.sleep(0)
        if too_late:
            asking.cancel()
            await asyncio.sleep(0)
        crew.dispatch._mail.get()()  # as the run's thread does
        asyncio.get_running_loop().call_soon(asking.cancel)
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0)

    crew._loop.run_until_complete(lose_it())
    crew._loop.close()
    assert crew._again == [first]


def test_what_has_arrived_is_not_lost_where_the_next_task_finds_no_room(tasks, queue, monkeypatch):
    dispatch = Dispatch(tasks, queue, print)
    dispatch.waiting.remove(tasks[0])

    def no_room(task):
        dispatch.ask(concluding(dispatch, Outcome(tasks[0], "ok")))  # it arrives while questions are written
        raise RunError("the disk is full")

    monkeypatch.setattr(queue, "acquire", no_room, raising=False)
    dispatch.ask(lambda: dispatch.give(lambda _task: True, print))
    outcomes = dispatch.outcomes()
    assert next(outcomes).task.name == "a"
    with pytest.raises(RunError, match="full"):
        next(outcomes)


def test_an_outcome_of_a_worker_that_was_lost_meanwhile_is_not_taken_beside_the_second_try(tasks, queue, monkeypatch):
    crew = Crew(ResourceLimits(None, 1, None, None, 60), "session", "", tasks, queue)
    worker = KnownWorker("w", 1, post="p", sees=True)
    crew._workers["w"] = worker
    worker.holding["a"] = tasks[0]

    class Slow:
        async def carry_out(self, worker, task, split):
            crew._lose(worker)
            return Outcome(task, "ok")

    crew._carriage = Slow()
    crew._loop.run_until_complete(crew._carry(worker, tasks[0]))
    crew._loop.close()
    assert crew._again == [tasks[0]]
    told = [crew.dispatch._mail.get() for _ in range(crew.dispatch._mail.qsize())]
    assert [outcome for errand in told for outcome in errand()] == []


def test_a_run_that_ends_while_workers_are_looked_for_ends(tasks, queue, monkeypatch):
    crew = Crew(ResourceLimits(None, 1, None, None, 60), "session", "", tasks, queue)

    class Client:
        def subscribe_topic(self, topic, handler): ...

        async def nthreads(self):
            crew._stop.set()
            await asyncio.sleep(0)  # what is waited for arrives together with the order to stop waiting
            return {}

    @asynccontextmanager
    async def connected(*_terms):
        yield Client()

    monkeypatch.setattr(crew_module, "connected", connected)
    crew.begin()
    crew._thread.join(20)
    assert not crew._thread.is_alive()
