"""Who may run what, how many at a time, and how long a run waits for a worker."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.metadata import version

import pytest

from cfbench.errors import RunError
from cfbench_dask.executor import DaskExecutor
from cfbench_dask.worker_pool import PoolWorker, WaitPolicy
from cfbench_dask.worker_session import Installed

EXECUTOR = DaskExecutor("tcp://s:1", 1, None, None, patience=0)
HERE = Installed({"cfbench": "1", "cfbench-dask": "2"}, {})


@pytest.fixture
def task(make_task):
    return make_task("a", "bias", version="3", code="c")


def worker_with(task, **more) -> PoolWorker:
    has = replace(HERE, models={(task.distribution, task.import_path): (task.version, task.code)})
    return PoolWorker("tcp://w:2", 1, **({"token": "p", "installed": has} | more))


def test_what_is_installed_survives_its_way_and_nonsense_is_refused():
    installed = Installed.here([("cfbench-baselines", "cfbench_baselines.bias:Bias"), ("no", "such:One")])
    assert installed.versions["cfbench-dask"] == version("cfbench-dask")
    assert Installed.from_json(installed.to_json()) == installed
    for nonsense in (None, {}, {"versions": 3, "models": []}, {"versions": {}, "models": [["a"]]}):
        with pytest.raises(ValueError, match="no list of what is installed"):
            Installed.from_json(nonsense)


def test_a_worker_must_have_the_same_cfbench(task):
    other = worker_with(task)
    other.installed = replace(other.installed, versions={"cfbench": "0.9", "cfbench-dask": "2"})
    assert other.misfit(task, HERE) == "has cfbench 0.9, here is 1"
    assert worker_with(task).misfit(task, HERE) == ""


def test_tasks_that_somebody_can_take_are_waited_for_without_end(task):
    assert WaitPolicy(EXECUTOR, HERE, print).given_up([task], [worker_with(task)]) == {}


def test_a_new_worker_is_given_time_to_answer(task):
    new = worker_with(task, token="")
    assert WaitPolicy(EXECUTOR, HERE, print).given_up([task], [new]) == {}
    new.since = time.monotonic() - 1000
    with pytest.raises(RunError, match="no worker that can be used for 0 s"):
        WaitPolicy(EXECUTOR, HERE, print).given_up([task], [new])


def test_unusable_workers_are_named_where_there_are_no_others(task):
    with pytest.raises(RunError, match=r"for 0 s: tcp://w:2 has no disk; finished cells are kept"):
        WaitPolicy(EXECUTOR, HERE, print).given_up([task], [worker_with(task, unusable="has no disk")])


def test_what_is_waited_for_is_told_once(task):
    notes = []
    policy = WaitPolicy(replace(EXECUTOR, patience=60), HERE, notes.append)
    edited = replace(task, name="b", code="edited")
    for _ in range(3):
        assert policy.given_up([task, edited], [worker_with(task)]) == {}
    assert len(notes) == 1
    assert notes[0].startswith("cfbench-baselines: no worker can run it: tcp://w:2 has cfbench-baselines 3 with other")


@pytest.mark.parametrize(
    ("threads", "per_cell", "wanted", "places"),
    [(8, 1, None, 8), (8, 3, None, 2), (2, 4, None, 1), (8, 1, 3, 3), (2, 1, 5, 2)],
)
def test_places_of_a_worker_follow_its_threads(threads, per_cell, wanted, places):
    assert replace(EXECUTOR, cells_per_worker=wanted).places(threads, per_cell) == places
