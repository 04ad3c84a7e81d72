"""Who may run what, how many at a time, and how long a run waits for a worker."""

from __future__ import annotations

import time
from importlib.metadata import version

import pytest

from cfbench.errors import RunError
from cfbench_dask.rpc import PoolWorker, need_of
from cfbench_dask.worker_pool import WaitPolicy
from cfbench_dask.worker_session import misfits, usable_models

ADDRESS = "tcp://w:2"


@pytest.fixture
def policy():
    return WaitPolicy("tcp://s:1", 0, print)


@pytest.fixture
def need(make_task):
    return need_of(make_task("a", "bias", version="3", code="c"))


@pytest.fixture
def worker_with(need):
    return lambda misfit="", unusable="": PoolWorker(None, "s", ADDRESS, 1, unusable=unusable, misfits={need: misfit})


def test_what_fits_and_what_does_not_is_found_where_cells_would_run(make_task):
    task = make_task("a", "bias")
    same = need_of(task)
    here = version(task.distribution)
    versions = {name: version(name) for name in ("cfbench", "cfbench-dask")}
    others = [
        same,
        (*same[:2], "9.9", same[3]),
        (*same[:3], "edited"),
        ("not-there", *same[1:]),
        (same[0], "no:Such", *same[2:]),
    ]
    assert misfits(versions, others, usable_models()) == [
        "",
        f"has {task.distribution} {here}, here is 9.9",
        f"has {task.distribution} {here} with other sources, or other versions of what it requires, than here",
        "has no usable not-there",
        f"has no usable {task.distribution}",
    ]


def test_a_worker_must_have_the_same_cfbench(need):
    here = version("cfbench")
    assert misfits({"cfbench": "0.0"}, [need, need], {}) == [f"has cfbench {here}, here is 0.0"] * 2


def test_a_worker_that_has_not_answered_or_cannot_be_used_fits_nothing(worker_with, need):
    assert worker_with().misfit(need) == ""
    assert worker_with("has no usable a").misfit(need) == "has no usable a"
    assert PoolWorker(None, "s", ADDRESS, 1).misfit(need) == "has not answered yet"
    assert worker_with(unusable="has no disk").misfit(need) == "has no disk"


def test_tasks_that_somebody_can_take_are_waited_for_without_end(policy, worker_with, need):
    assert policy.given_up([need], [worker_with()]) == {}


def test_a_new_worker_is_given_time_to_answer(policy, need):
    new = PoolWorker(None, "s", ADDRESS, 1)
    assert policy.given_up([need], [new]) == {}
    new.since = time.monotonic() - 1000
    with pytest.raises(RunError, match="no worker that can be used for 0 s"):
        policy.given_up([need], [new])


def test_new_workers_are_not_waited_for_one_after_another_for_ever(policy, need, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert policy.given_up([need], [PoolWorker(None, "s", ADDRESS, 1)]) == {}
    now += 59
    assert policy.given_up([need], [PoolWorker(None, "s", ADDRESS, 1)]) == {}
    now += 2
    with pytest.raises(RunError, match="no worker that can be used for 0 s"):
        policy.given_up([need], [PoolWorker(None, "s", ADDRESS, 1)])


def test_unusable_workers_are_named_where_there_are_no_others(policy, worker_with, need):
    with pytest.raises(RunError, match=r"for 0 s: tcp://w:2 has no disk; finished cells are kept"):
        policy.given_up([need], [worker_with(unusable="has no disk")])


def test_what_is_waited_for_is_told_once(worker_with, need):
    notes = []
    policy = WaitPolicy("tcp://s:1", 60, notes.append)
    edited = (*need[:3], "edited")
    worker = worker_with()
    worker.misfits |= {edited: "has cfbench-baselines 3 with other sources"}
    for _ in range(3):
        assert policy.given_up([need, edited], [worker]) == {}
    assert len(notes) == 1
    assert notes[0].startswith("cfbench-baselines: no worker can run it: tcp://w:2 has cfbench-baselines 3 with other")


@pytest.mark.parametrize(
    ("threads", "per_cell", "wanted", "places"),
    [(8, 1, None, 8), (8, 3, None, 2), (2, 4, None, 1), (8, 1, 3, 3), (2, 1, 5, 2)],
)
def test_places_of_a_worker_follow_its_threads(threads, per_cell, wanted, places):
    assert PoolWorker(None, "s", ADDRESS, threads).places(wanted, per_cell) == places
