"""Tasks are assigned once, in order, by the run's own thread; what is left over when a worker goes is not lost."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from cfbench.errors import RunError
from cfbench.execution.contract import Outcome
from cfbench_dask.executor import DaskExecutor
from cfbench_dask.rpc import WorkerGoneError
from cfbench_dask.worker_pool import PoolWorker, WorkerPool
from cfbench_dask.worker_session import Installed

EXECUTOR = DaskExecutor("tcp://s:1", 1, None, None, patience=60)


class Client:
    """A cluster of the workers that it is given, by address with their threads."""

    def __init__(self, workers) -> None:
        self.workers = workers
        self.scheduler = self

    def subscribe_topic(self, topic, handler): ...

    def ncores(self): ...

    def sync(self, function, callback_timeout):
        if isinstance(self.workers, Exception):
            raise self.workers
        return dict(self.workers)


class Calls:
    """Workers that do at once what they are asked for, as ``run`` says."""

    session = "session"

    def __init__(self, workers, run=lambda worker, task: Outcome(task, "ok")) -> None:
        self.client = Client(workers)
        self.run = run
        self.forgotten: list[str] = []
        self.ran: list[tuple[str, str]] = []

    def open_session(self, address, models, token_file):
        return {"token": "t", "installed": Installed.here(models).to_json(), "visible": self.session}

    def run_cell(self, address, token, task, split):
        self.ran.append((address, task.name))
        return self.run(address, task)

    def everywhere(self, function, *arguments, addresses):
        if function.__name__ == "forget":
            self.forgotten += arguments

    def cancel(self, address): ...


@pytest.fixture
def tasks(make_task):
    return [make_task(name, "bias", split) for name, split in (("a", "one"), ("b", "one"), ("c", "two"))]


@pytest.fixture
def pool_of(tasks, queue):
    return lambda calls, executor=EXECUTOR: WorkerPool(executor, calls, Path("seen"), tasks, queue)


def test_tasks_are_assigned_in_order_and_refused_ones_are_left_out(pool_of, queue):
    queue.refused = frozenset({"b"})
    calls = Calls({"w": 1})
    assert [outcome.task.name for outcome in pool_of(calls).outcomes()] == ["a", "c"]
    assert calls.ran == [("w", "a"), ("w", "c")]
    assert [name for name, kind, _ in queue.events.seen if kind == "started"] == ["a", "c"]


def test_stored_inputs_go_with_their_last_task_refused_ones_included(pool_of, tasks, queue, wait_for):
    queue.refused = frozenset({"b"})
    calls = Calls({})
    pool = pool_of(calls)
    pool._workers["w"] = worker = PoolWorker("w", 1, token="t", stored={"one", "two"})
    worker.running["a"] = tasks[0]
    pool._waiting = tasks[1:]
    pool._acquired(pool._waiting[0])
    assert worker.stored == {"one", "two"}
    assert pool._concluded(Outcome(tasks[0], "ok"), worker)
    assert worker.stored == {"two"}
    wait_for(lambda: calls.forgotten == ["one"])


def test_the_first_task_that_suits_is_given(pool_of, tasks, queue):
    pool = pool_of(Calls({}))
    last = tasks[2]
    installed = Installed(Installed.here().versions, {(last.distribution, last.import_path): (last.version, last.code)})
    pool._waiting = [pool._waiting[0].__class__(**{**vars(one), "code": "other"}) for one in tasks[:2]] + [last]
    assert pool._next_task(PoolWorker("w", 1, token="t", installed=installed)) == last
    assert [(name, kind) for name, kind, _ in queue.events.seen] == [("c", "started")]


def test_an_error_of_a_thread_is_raised_in_the_runs_thread(pool_of):
    def fail(worker, task):
        raise RunError("on purpose")

    with pytest.raises(RunError, match="on purpose"):
        list(pool_of(Calls({"w": 1}, fail)).outcomes())


def test_events_are_dropped_where_the_run_is_busy_and_remarks_are_not(pool_of, tasks, queue):
    pool = pool_of(Calls({}))
    pool._workers["w"] = worker = PoolWorker("w", 1, token="t")
    worker.running["a"] = tasks[0]
    phases = [["a", "cell_phase", [str(number)]] for number in range(5000)]
    pool._on_event((0.0, {"session": "session", "worker": "w", "events": [*phases, ["", "note", ["a remark"]]]}))
    while not pool._inbox.empty():
        pool._inbox.get()()
    assert [what for _, _, what in queue.events.seen] == [str(number) for number in range(1000)]
    assert queue.events.notes == ["a remark"]


def test_a_task_whose_worker_goes_is_run_by_another(pool_of, queue):
    lost = []

    def go_once(worker, task):
        if task.name == "a" and not lost:
            lost.append(worker)
            raise WorkerGoneError("it did not answer")
        return Outcome(task, "ok")

    outcomes = pool_of(Calls({"v": 1, "w": 1}, go_once)).outcomes()
    assert {outcome.task.name: outcome.status for outcome in outcomes} == {"a": "ok", "b": "ok", "c": "ok"}
    assert queue.events.notes == [f"bias: its worker {lost[0]} has gone; the cell is tried once more elsewhere"]


def test_what_has_arrived_is_not_lost_where_the_next_task_finds_no_room(pool_of, tasks, queue, monkeypatch):
    pool = pool_of(Calls({"w": 1}))
    acquire = queue.acquire

    def no_room(task):
        if task.name == "a":
            return acquire(task)
        raise RunError("the disk is full")

    monkeypatch.setattr(queue, "acquire", no_room)
    pool._workers["w"] = worker = PoolWorker("w", 2, token="t", shares=True, installed=Installed.here(pool._models))
    worker.running["a"] = tasks[0]
    pool._waiting = tasks[1:]
    pool._inbox.put(partial(pool._concluded, Outcome(tasks[0], "ok"), worker))
    outcomes = pool.outcomes()
    assert next(outcomes).task.name == "a"
    with pytest.raises(RunError, match="full"):
        next(outcomes)


def test_an_outcome_of_a_worker_that_was_lost_meanwhile_is_not_taken_beside_the_second_try(pool_of, tasks):
    pool = pool_of(Calls({}))
    pool._workers["w"] = worker = PoolWorker("w", 1, token="t", shares=True)
    worker.running["a"] = tasks[0]
    pool._lose(worker)
    assert pool._again == [tasks[0]]
    assert pool._concluded(Outcome(tasks[0], "ok"), worker) == ()


def test_a_run_that_is_closed_while_workers_are_looked_for_ends(pool_of):
    outcomes = pool_of(Calls({"w": 1}, lambda worker, task: threading.Event().wait())).outcomes()
    closing = threading.Thread(target=outcomes.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_a_scheduler_that_does_not_answer_ends_the_run(pool_of):
    with pytest.raises(RunError, match="the Dask scheduler of tcp://s:1 has gone"):
        next(pool_of(Calls(OSError("timed out"))).outcomes())


def test_an_outcome_that_has_arrived_counts_where_its_worker_leaves_before_it_is_taken(pool_of, tasks):
    def run(worker, task):
        time.sleep(0.3 if task.name == "b" else 0)
        return Outcome(task, "ok")

    calls = Calls({"v": 1, "w": 1}, run)
    outcomes = []
    for outcome in pool_of(calls).outcomes():
        outcomes.append(outcome)
        if outcome.task.name == "a":
            time.sleep(1.0)  # the run measures this one while another arrives, and its worker is scaled down
            worker = next(address for address, name in calls.ran if name == "b")
            calls.client.workers = {one: 1 for one in ("v", "w", "x") if one != worker}
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert sorted(name for _, name in calls.ran) == ["a", "b", "c"]
