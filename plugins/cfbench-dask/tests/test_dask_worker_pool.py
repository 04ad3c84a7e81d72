"""Tasks are assigned once, in order, by the run's own thread; what is left over when a worker goes is not lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cfbench.errors import RunError
from cfbench.execution.contract import Outcome
from cfbench_dask import rpc, worker_pool
from cfbench_dask.rpc import PoolWorker, WorkerGoneError, need_of
from cfbench_dask.worker_pool import WaitPolicy, WorkerPool


def opened(address, needs):
    return {"token": "t", "misfits": [""] * len(needs), "shares": True}


class Cluster:
    """The client of a cluster, whose workers do at once what ``run_cell`` and ``opening`` say."""

    def __init__(self, workers, run_cell=lambda worker, task: Outcome(task, "ok"), opening=opened) -> None:
        self.workers, self.run_cell, self.opening = workers, run_cell, opening
        self.scheduler = self.loop = self
        self.ran: list[tuple[str, str]] = []
        self.told: list[tuple[str, list[str], tuple[str, ...]]] = []

    def subscribe_topic(self, topic, handler): ...

    def ncores(self): ...

    def sync(self, function, callback_timeout):
        if function != self.ncores:
            return asyncio.run(function())
        if isinstance(self.workers, Exception):
            raise self.workers
        return dict(self.workers)

    def add_callback(self, function):
        asyncio.run(function())

    async def run(self, call, session, token, method, *arguments, workers, on_error):
        self.told.append((method, workers, arguments))


class Worker(PoolWorker):
    """A worker of such a cluster."""

    def _call(self, method, versions, needs, token_file):
        return self.client.opening(self.address, needs)

    def run(self, task, split, wanted):
        self.client.ran.append((self.address, task.name))
        return self.client.run_cell(self.address, task)


@pytest.fixture
def tasks(make_task):
    return [make_task(name, "bias", split) for name, split in (("a", "one"), ("b", "one"), ("c", "two"))]


@pytest.fixture
def pool_of(tasks, queue, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "PoolWorker", Worker)
    for module, pause in ((rpc, "_LOOK"), (worker_pool, "_LOOK"), (worker_pool, "_LAST_WORDS")):
        monkeypatch.setattr(module, pause, 0.05)
    folder = tmp_path / "run"
    folder.mkdir()

    def pool_of(cluster, patience=60) -> WorkerPool:
        policy = WaitPolicy("tcp://s:1", patience, queue.events.note)
        return WorkerPool(cluster, folder.as_posix(), policy, tasks, queue, folder)

    return pool_of


@pytest.fixture
def no_thread(tmp_path, wait_for):
    """Wait until all threads of the pool have told it what they have found."""
    session = (tmp_path / "run").as_posix()
    return lambda: wait_for(lambda: not [one for one in threading.enumerate() if one.name == session])


@pytest.fixture
def known(tasks):
    """Give a pool a worker that can run all tasks, and may be running some."""

    def known(pool, threads=1, running=(), **more) -> PoolWorker:
        misfits = dict.fromkeys(map(need_of, tasks), "")
        facts = {"token": "t", "unusable": "", "shares": True, "misfits": misfits} | more
        worker = pool._workers["w"] = Worker(pool.client, pool.session, "w", threads, **facts)
        worker.running.update((task.name, task) for task in running)
        pool._waiting = [task for task in tasks if task not in running]
        return worker

    return known


def test_tasks_are_assigned_in_order_and_refused_ones_are_left_out(pool_of, queue):
    queue.refused = frozenset({"b"})
    cluster = Cluster({"w": 1})
    assert [outcome.task.name for outcome in pool_of(cluster).outcomes()] == ["a", "c"]
    assert cluster.ran == [("w", "a"), ("w", "c")]
    assert [name for name, kind, _ in queue.events.seen if kind == "started"] == ["a", "c"]


def test_stored_inputs_go_with_their_last_task_refused_ones_included(pool_of, tasks, queue, known):
    queue.refused = frozenset({"b"})
    pool = pool_of(Cluster({}))
    worker = known(pool, running=tasks[:1], stored={"one", "two"})
    for split in ("one", "two"):
        (pool.folder / f"{split}.zip").touch()
    pool._acquired(pool._waiting[0])
    assert worker.stored == {"one", "two"}
    assert list(pool._arrived(worker, Outcome(tasks[0], "ok"), pool.folder / "attempt"))
    assert worker.stored == {"two"}
    assert pool.client.told == [("forget", ["w"], ("one",))]
    assert [path.name for path in pool.folder.iterdir()] == ["two.zip"]


def test_the_first_task_that_suits_is_given(pool_of, tasks, queue, known):
    pool = pool_of(Cluster({}))
    other, last = [replace(one, code="other") for one in tasks[:2]], tasks[2]
    worker = known(pool)
    worker.misfits[need_of(other[0])] = "has other sources"
    pool._waiting = [*other, last]
    assert pool._next_task(worker) == last
    assert [(name, kind) for name, kind, _ in queue.events.seen] == [("c", "started")]


def test_an_error_of_a_thread_is_raised_in_the_runs_thread(pool_of):
    def fail(worker, task):
        raise RunError("on purpose")

    with pytest.raises(RunError, match="on purpose"):
        list(pool_of(Cluster({"w": 1}, fail)).outcomes())


def test_events_are_dropped_where_the_run_is_busy_and_remarks_are_not(pool_of, tasks, queue, known):
    pool = pool_of(Cluster({}))
    known(pool, running=tasks[:1])
    phases = [["a", "cell_phase", [str(number)]] for number in range(5000)]
    pool._on_event((0.0, {"session": pool.session, "worker": "w", "events": [*phases, ["", "note", ["a remark"]]]}))
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

    outcomes = pool_of(Cluster({"v": 1, "w": 1}, go_once)).outcomes()
    assert {outcome.task.name: outcome.status for outcome in outcomes} == {"a": "ok", "b": "ok", "c": "ok"}
    assert queue.events.notes == [f"bias: its worker {lost[0]} has gone; the cell is tried once more elsewhere"]


def test_what_has_arrived_is_not_lost_where_the_next_task_finds_no_room(pool_of, tasks, queue, known, monkeypatch):
    pool = pool_of(Cluster({"w": 1}))
    acquire = queue.acquire

    def no_room(task):
        if task.name == "a":
            return acquire(task)
        raise RunError("the disk is full")

    monkeypatch.setattr(queue, "acquire", no_room)
    worker = known(pool, 2, running=tasks[:1])
    pool._inbox.put(partial(pool._arrived, worker, Outcome(tasks[0], "ok"), pool.folder / "attempt"))
    outcomes = pool.outcomes()
    assert next(outcomes).task.name == "a"
    with pytest.raises(RunError, match="full"):
        next(outcomes)


def test_an_outcome_of_a_worker_that_was_lost_meanwhile_is_not_taken_beside_the_second_try(pool_of, tasks, known):
    pool = pool_of(Cluster({}))
    worker = known(pool, running=tasks[:1])
    assert list(pool._lose(worker)) == []
    assert pool._waiting == tasks
    assert list(pool._arrived(worker, Outcome(tasks[0], "ok"), pool.folder / "attempt")) == []


def test_a_run_that_is_closed_while_workers_are_looked_for_ends(pool_of):
    outcomes = pool_of(Cluster({"w": 1}, lambda worker, task: threading.Event().wait())).outcomes()
    closing = threading.Thread(target=outcomes.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_a_scheduler_that_does_not_answer_ends_the_run(pool_of):
    with pytest.raises(RunError, match="the Dask scheduler of tcp://s:1 has gone"):
        next(pool_of(Cluster(OSError("timed out"))).outcomes())


def test_an_outcome_that_has_arrived_counts_where_its_worker_leaves_before_it_is_taken(pool_of, no_thread):
    begun, released = threading.Event(), threading.Event()

    def run(worker, task):
        if task.name == "a":
            assert begun.wait(60)
        if task.name == "b":
            begun.set()
            assert released.wait(60)
        return Outcome(task, "ok")

    cluster = Cluster({"v": 1, "w": 1}, run)
    outcomes = []
    with closing(pool_of(cluster).outcomes()) as coming:
        for outcome in coming:
            outcomes.append(outcome)
            if outcome.task.name == "a":  # the run measures this one while another arrives
                released.set()
                no_thread()
                worker = next(address for address, name in cluster.ran if name == "b")  # which is scaled down
                cluster.workers = {one: 1 for one in ("v", "w", "x") if one != worker}
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert sorted(name for _, name in cluster.ran) == ["a", "b", "c"]


def test_what_a_late_attempt_writes_or_raises_is_not_seen_beside_the_second_try(pool_of, tasks, no_thread):
    """The first worker of a task goes, the second one finishes it, and then the first attempt's thread goes on."""
    late, outputs = threading.Event(), []

    def run(worker, task):
        output = Path(task.folder)
        if task.name == "a":
            outputs.append(output)
            if len(outputs) == 1:
                cluster.workers = {"w" if worker == "v" else "v": 1}
                assert late.wait(60)
                output.mkdir()
                (output / "answer").write_text("first")
                raise RunError("what it reads has been removed")
        output.mkdir()
        (output / "answer").write_text("second")
        return Outcome(task, "ok")

    cluster = Cluster({"v": 1, "w": 1}, run)
    with closing(pool_of(cluster).outcomes()) as coming:
        for outcome in coming:
            if outcome.task.name == "a":
                late.set()
                no_thread()
            assert outcome.status == "ok"
            assert outcome.task in tasks
    assert len(set(outputs)) == 2
    assert [(Path(task.folder) / "answer").read_text() for task in tasks] == ["second"] * 3


def test_a_worker_that_is_never_reached_is_given_up_and_the_run_ends_where_it_is_the_last(pool_of):
    def unreachable(address, needs):
        tried.append(address)
        raise WorkerGoneError("no route to host")

    tried = []
    with pytest.raises(RunError, match=r"used for 0 s: w cannot be reached: no route to host; finished cells are kept"):
        list(pool_of(Cluster({"w": 1}, opening=unreachable), patience=0).outcomes())
    assert tried == ["w"] * 3


def test_a_worker_that_is_never_reached_is_named_where_others_are_used(pool_of, queue, wait_for):
    def half(address, needs):
        if address == "v":
            raise WorkerGoneError("no route to host")
        return opened(address, needs)

    def run(worker, task):
        wait_for(lambda: queue.events.notes)
        return Outcome(task, "ok")

    cluster = Cluster({"v": 1, "w": 1}, run, half)
    assert [outcome.status for outcome in pool_of(cluster).outcomes()] == ["ok"] * 3
    assert {worker for worker, _ in cluster.ran} == {"w"}
    assert queue.events.notes == ["worker v gets no cells: it cannot be reached: no route to host"]


def test_a_worker_that_is_reached_at_last_is_used(pool_of):
    def reached_at_last(address, needs):
        tried.append(address)
        if len(tried) < 3:
            raise WorkerGoneError("no route to host")
        return opened(address, needs)

    tried = []
    outcomes = pool_of(Cluster({"w": 1}, opening=reached_at_last), patience=0).outcomes()
    assert [outcome.status for outcome in outcomes] == ["ok"] * 3


@pytest.mark.parametrize("facts", [None, "ready", {"token": "t"}, {"token": 3, "misfits": [""], "shares": True}])
def test_a_worker_that_says_nonsense_of_itself_gets_no_cells(pool_of, facts):
    pool = pool_of(Cluster({"w": 1}, opening=lambda address, needs: facts), patience=0)
    with pytest.raises(RunError, match="w did not say what it has"):
        list(pool.outcomes())


def test_a_worker_that_must_see_the_workspace_and_does_not_gets_no_cells_and_is_closed(pool_of):
    cluster = Cluster({"w": 1}, opening=lambda address, needs: opened(address, needs) | {"shares": False})
    pool = replace(pool_of(cluster, patience=0), shared=True)
    with pytest.raises(RunError, match="w does not see the run's workspace; name one by --workspace that it does"):
        list(pool.outcomes())
    assert cluster.told == [("close", ["w"], ())]


def test_the_end_of_a_run_closes_sessions_that_are_still_opening(pool_of):
    late = threading.Event()

    def open_late(address, needs):
        if address == "slow":
            late.wait(60)
        return opened(address, needs)

    cluster = Cluster({"w": 1, "slow": 1}, opening=open_late)
    with closing(pool_of(cluster).outcomes()) as outcomes:
        next(outcomes)
    late.set()
    assert cluster.told[-1] == ("close", ["w", "slow"], ())
