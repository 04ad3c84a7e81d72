"""Cells on a real scheduler and real workers: the same answers as here, and what happens when workers go."""

from __future__ import annotations

import logging
import signal
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import psutil
import pytest

from cfbench.errors import RunError, UsageError
from cfbench.execution.executors import ProcessExecutor
from cfbench.execution.outcome_file import saved_in
from cfbench_dask.executor import DaskExecutor

MODELS = ("global-mean", "bias", "svd")


def descendants_of(cluster) -> list[psutil.Process]:
    return [child for process in cluster.workers.values() for child in psutil.Process(process.pid).children(True)]


def command_of(process: psutil.Process) -> str:
    """Return how a process was called; nothing of one that has ended meanwhile."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def assert_same_answers(found, expected):
    assert {name: outcome.status for name, outcome in found.items()} == dict.fromkeys(expected, "ok")
    for name, outcome in expected.items():
        arrays = outcome.output.arrays()
        assert found[name].output.arrays().keys() == arrays.keys()
        for kind, array in arrays.items():
            np.testing.assert_array_equal(found[name].output.arrays()[kind], array)


def test_answers_and_saved_models_equal_those_of_local_processes(cluster, make_task, queue, by_name):
    tasks = [make_task(f"{model}-here", model, save=True) for model in MODELS]
    expected = by_name(ProcessExecutor()(tasks, queue))
    there = [replace(task, folder=f"{task.folder}-there") for task in tasks]
    found = by_name(DaskExecutor(cluster.address, shared=False)(there, queue))
    assert_same_answers(found, expected)
    for name, outcome in expected.items():
        assert found[name].versions == outcome.versions
        assert found[name].cost.model_bytes == outcome.cost.model_bytes
        files = sorted(path.name for path in saved_in(outcome.task).rglob("*"))
        assert files == sorted(path.name for path in saved_in(found[name].task).rglob("*"))


def test_a_cluster_of_its_own_leaves_nothing_and_changes_no_signal(tmp_path, make_task, queue, by_name, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    level = logging.getLogger("distributed").level
    tasks = [make_task(model, model) for model in MODELS]
    meanwhile: set[str] = set()
    queue.events.on_phase = lambda _task, _name: meanwhile.update(path.name for path in tmp_path.iterdir())
    found = by_name(DaskExecutor(jobs=2)(tasks, queue))
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert logging.getLogger("distributed").level == level
    assert meanwhile == {"work"}  # outside of the run's workspace a killed run would leave it for ever
    assert not list((tmp_path / "work").rglob("cfbench-dask-*"))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert any(str(what).startswith("on inproc://") for _, kind, what in queue.events.seen if kind == "phase")


def test_data_are_sent_once_per_split_and_worker_and_removed_with_the_last_cell(cluster, make_task, queue):
    tasks = [make_task(f"{split}-{n}", "global-mean", split) for split in ("one", "second") for n in range(4)]
    seen = []
    with closing(DaskExecutor(cluster.address, shared=False)(tasks, queue)) as outcomes:
        for outcome in outcomes:
            assert (outcome.status, outcome.reason) == ("ok", "")
            seen.append({path.parent.name for path in cluster.files() if path.suffix == ".npy"} & {"one", "second"})
    workers = {
        (task, what) for task, kind, what in queue.events.seen if kind == "phase" and str(what).startswith("on ")
    }
    pairs = {(task.partition("-")[0], worker) for task, worker in workers}
    assert len(queue.events.phases("sending data")) == len(pairs) <= 4
    assert {"one"} in seen or {"one", "second"} in seen
    assert not cluster.files()


def test_what_workers_see_by_the_same_path_is_not_sent(cluster, make_task, queue, by_name):
    found = by_name(DaskExecutor(cluster.address)([make_task("a", "item-mean")], queue))
    assert found["a"].status == "ok"
    assert queue.events.phases("sending data") == []
    assert queue.events.notes == []


def test_limits_logs_and_progress_are_those_of_a_local_cell(cluster, make_task, queue, by_name):
    task = make_task("slow", "waits", params={"child": True}, timeout=2.0)
    found = by_name(DaskExecutor(cluster.address)([task], queue))["slow"]
    assert found.status == "timeout"
    assert found.reason == "took longer than the 2 s allowed by --timeout and was ended"
    assert found.log_tail == "waiting at the door"
    kinds = [kind for name, kind, _ in queue.events.seen if name == "slow"]
    assert kinds[0] == "started"
    assert {"phase", "epoch", "usage"} <= set(kinds)
    assert kinds.count("epoch") <= 10  # of 20
    assert descendants_of(cluster) == []


def test_closing_ends_what_runs_and_leaves_no_process(cluster, make_task, queue, wait_for):
    tasks = [make_task("quick", "global-mean"), make_task("endless", "waits", params={"child": True})]
    with closing(DaskExecutor(cluster.address)(tasks, queue)) as outcomes:
        assert next(outcomes).task.name == "quick"
        wait_for(lambda: any("time.sleep(1000)" in command_of(child) for child in descendants_of(cluster)))
    assert descendants_of(cluster) == []
    assert cluster.files() == []


def test_a_worker_with_another_version_of_a_plugin_gets_none_of_its_cells(cluster, make_task, queue, by_name):
    other = [
        make_task("version", "bias", version="9.9"),
        make_task("sources", "bias", code="edited"),
        make_task("absent", "bias", distribution="not-there"),
    ]
    found = by_name(DaskExecutor(cluster.address, patience=0.6)([*other, make_task("same", "bias")], queue))
    assert found["same"].status == "ok"
    assert {found[task.name].status for task in other} == {"failed"}
    some = next(iter(cluster.workers))
    assert some in found["version"].reason
    assert f"has cfbench-baselines {version('cfbench-baselines')}, here is 9.9" in found["version"].reason
    assert "with other sources, or other versions of what it requires, than here" in found["sources"].reason
    assert "has no usable not-there" in found["absent"].reason


def test_a_cell_whose_worker_is_killed_is_tried_once_more_elsewhere(mortal, make_task, queue, by_name, tmp_path):
    mortal.add_workers(2)
    doors = {name: tmp_path / name for name in ("victim", "innocent")}
    killed, innocent = [], []

    def kill_the_first(task, phase):
        if task.name == "innocent" and phase.startswith("on "):
            innocent.append(phase)
        if phase == "fit" and task.name == "victim" and not killed:
            on = [what for name, _, what in queue.events.seen if name == "victim" and str(what).startswith("on ")]
            killed.append(on[-1].removeprefix("on "))
            mortal.kill(killed[0])
            for door in doors.values():
                door.touch()

    queue.events.on_phase = kill_the_first
    tasks = [make_task(name, "waits", params={"door": str(door)}) for name, door in doors.items()]
    found = by_name(DaskExecutor(mortal.address)(tasks, queue))
    assert {name: outcome.status for name, outcome in found.items()} == {"victim": "ok", "innocent": "ok"}
    assert queue.events.notes == [f"waits: its worker {killed[0]} has gone; the cell is tried once more elsewhere"]
    assert len(innocent) == 1
    assert len([name for name, kind, _ in queue.events.seen if (name, kind) == ("victim", "started")]) == 1


def test_a_cell_that_loses_two_workers_has_crashed_and_the_others_are_done(mortal, make_task, queue, by_name, tmp_path):
    mortal.add_workers(3)
    killed = []

    def kill_the_worker(task, phase):
        if phase == "fit" and task.name == "curse":
            on = [what for name, _, what in queue.events.seen if name == "curse" and str(what).startswith("on ")]
            killed.append(on[-1].removeprefix("on "))
            mortal.kill(killed[-1])

    queue.events.on_phase = kill_the_worker
    tasks = [make_task("curse", "waits"), *(make_task(f"good-{n}", "item-mean") for n in range(4))]
    found = by_name(DaskExecutor(mortal.address)(tasks, queue))
    assert found["curse"].status == "crashed"
    assert found["curse"].reason == (
        f"its worker went away twice: {killed[0]}, then {killed[1]}; the cell itself may be why"
    )
    assert {outcome.status for name, outcome in found.items() if name != "curse"} == {"ok"}


@pytest.mark.slow
def test_workers_that_join_late_are_used(mortal, make_task, queue, by_name):
    def join(text):
        queue.events.notes.append(text)
        mortal.add_workers(1)

    queue.events.note = join
    found = by_name(DaskExecutor(mortal.address, patience=30)([make_task("a", "bias"), make_task("b", "svd")], queue))
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert queue.events.notes == [f"waiting up to 30 s for workers of {mortal.address}"]


def test_where_all_workers_have_gone_the_run_ends_after_what_is_finished(mortal, make_task, queue):
    (address,) = mortal.add_workers(1)
    tasks = [make_task("a", "bias"), make_task("b", "waits")]
    with closing(DaskExecutor(mortal.address, patience=1)(tasks, queue)) as outcomes:
        assert next(outcomes).status == "ok"
        mortal.kill(address)
        with pytest.raises(RunError, match="has had no worker that can be used for 1 s; finished cells are kept"):
            list(outcomes)


@pytest.mark.slow
def test_a_scheduler_that_goes_ends_the_run(mortal, make_task, queue):
    mortal.add_workers(1)

    def kill_the_scheduler(_task, phase):
        if phase == "fit":
            mortal.scheduler.kill()

    queue.events.on_phase = kill_the_scheduler
    with pytest.raises(RunError, match=r"the Dask scheduler of tcp://.* has gone"):
        list(DaskExecutor(mortal.address, patience=1.0)([make_task("a", "waits")], queue))


@pytest.mark.parametrize("address", ["nonsense", "ftp://somewhere:1"])
def test_an_address_that_is_none_is_refused_at_once(make_task, queue, address):
    with pytest.raises(UsageError, match="no Dask scheduler answers at"):
        list(DaskExecutor(address)([make_task("a", "bias")], queue))


@pytest.mark.parametrize(("name", "value"), [("jobs", 0), ("cells_per_worker", 0), ("patience", -1)])
def test_parameters_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}={value}: expected"):
        DaskExecutor(**{name: value})
