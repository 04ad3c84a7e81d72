"""The supervisor finds out what came of every cell, whatever dies, and however busy it is itself."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cfbench.execution.contract import RunEvents, Task
from cfbench.execution.outcome_file import answers_in, saved_in
from cfbench.execution.supervisor import Supervisor
from cfbench.inference.inputs import EvaluationInputs
from cfbench.resources.cgroups import ControlGroups

MODELS = '''
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.model.protocols import EpochReport


@dataclass
class Quick:
    flag: str = ""
    epochs: int = 0
    seconds: float = 0.0

    def fit(self, train, context):
        for epoch in range(self.epochs):
            context.on_epoch(EpochReport(epoch + 1, self.epochs, 0.5, 0.5))
        time.sleep(self.seconds)

    def predict(self, users, items):
        return np.full(len(users), 3.0)


class Known(Quick):
    """Writes down which process it is before it begins."""

    def fit(self, train, context):
        Path("number").write_text(str(os.getpid()))
        super().fit(train, context)


class Orphans(Quick):
    """Starts processes whose parents end at once, and they soon after."""

    def fit(self, train, context):
        for _ in range(5):
            if os.fork() == 0:
                if os.fork() == 0:
                    os._exit(0)
                os._exit(0)


class Parent(Quick):
    """Has a child in a session of its own."""

    def fit(self, train, context):
        if os.fork() == 0:
            os.setsid()
        time.sleep(60)


class Saved(Quick):
    """Waits for a file when it is saved."""

    def save(self, directory):
        (directory / "parameters").write_text("all")
        while not Path(self.flag).exists():
            time.sleep(0.02)

    @classmethod
    def load(cls, directory):
        return cls()
'''
HELPED = """
import os
import sys
import re
import time

from supervised_models import Quick

stop = os.environ["SUPERVISED_STOP"]
if os.fork() == 0:
    for _ in range(6000):
        time.sleep(0.05)
        if os.path.exists(stop):
            break
    os._exit(0)


class Helped(Quick):
    pass
"""


HANGS = """
import re
import time
from supervised_models import Quick

time.sleep(600)


class Hanging(Quick):
    pass
"""
ABORTS = """
import os
from supervised_models import Quick

os.abort()


class Aborting(Quick):
    pass
"""
ELSEWHERE = {"Helped": "supervised_helper", "Hanging": "supervised_hanging", "Aborting": "supervised_aborting"}


class Notes(RunEvents):
    """Records remarks."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def supervisor():
    made = Supervisor(Notes())
    yield made
    made.close()


@pytest.fixture
def task_for(make_split, tmp_path, monkeypatch):
    """Make the task of a model of the modules above, with everything that it needs."""
    (tmp_path / "supervised_models.py").write_text(MODELS)
    for module, text in (("helper", HELPED), ("hanging", HANGS), ("aborting", ABORTS)):
        (tmp_path / f"supervised_{module}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SUPERVISED_STOP", str(tmp_path / "stop"))
    (tmp_path / "inputs").mkdir()
    EvaluationInputs.of(make_split([(0, 0, 5), (1, 0, 3), (1, 1, 1)], [(0, 1, 2)])).write(tmp_path / "inputs")
    (tmp_path / "cells").mkdir()

    def make(model: str, **params: object) -> Task:
        module = ELSEWHERE.get(model, "supervised_models")
        output = tmp_path / "cells" / model
        output.mkdir()
        return Task(
            name=model, distribution="tests", label=model, import_path=f"{module}:{model}", params=params,
            inputs=str(tmp_path / "inputs"), folder=str(output), log=f"{output}.log", seed=1, list_length=2,
            device="cpu", threads=1,
        )  # fmt: skip

    yield make
    (tmp_path / "stop").touch()


def outcomes_of(supervisor):
    """Wait for the ends of all tasks that run."""
    ended = []
    while supervisor.running:
        ended += supervisor.wait()
    return [one.outcome() for one in ended]


def outcome_of(supervisor):
    (outcome,) = outcomes_of(supervisor)
    return outcome


def watchdog_of(supervisor) -> psutil.Process:
    """Return the one watchdog, the child of its keeper, when it is there."""
    (client,) = supervisor._watchdogs.values()
    while not (children := psutil.Process(client.process.pid).children()):
        time.sleep(0.01)
    return children[0]


def at_work(task: Task, name: str) -> list[Path]:
    """Return the files of a name in the folders in which cells work until they end."""
    return [*Path(task.folder).parent.glob(f"watchdog-*/*/*/{name}")]


def stopped(watchdog: psutil.Process) -> psutil.Process | None:
    """Return the fork server below a watchdog, once it has started a cell and rests."""
    found = [child for child in watchdog.children() if child.status() == psutil.STATUS_STOPPED]
    return found[0] if found and len(watchdog.children()) > 1 else None


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_busy_supervisor_holds_no_model_up(supervisor, task_for, wait_for):
    task = task_for("Quick", epochs=12_000)
    supervisor.start(task)
    wait_for((answers_in(task) / "outcome.json").exists)  # and nobody has read yet what it told
    outcome = outcome_of(supervisor)
    assert outcome.status == "ok"
    assert outcome.losses[-1].epoch == 12_000


def test_limits_hold_while_the_supervisor_is_busy(supervisor, task_for, tmp_path, wait_for):
    task = replace(task_for("Known", epochs=12_000, seconds=600.0), timeout=4.0)
    supervisor.start(task)
    cell = int(wait_for(lambda: at_work(task, "scratch/number") and at_work(task, "scratch/number")[0].read_text()))
    wait_for(lambda: not psutil.pid_exists(cell))
    assert outcome_of(supervisor).status == "timeout"


def test_a_fork_server_that_dies_costs_no_cell_and_later_ones_import_for_themselves(supervisor, task_for, wait_for):
    supervisor.expected = [task_for("Quick", seconds=2.0), replace(task_for("Parent"), timeout=1.0)]
    supervisor.start(supervisor.expected[0])
    watchdog = watchdog_of(supervisor)
    wait_for(lambda: stopped(watchdog)).kill()
    supervisor.start(supervisor.expected[1])
    assert {one.task.name: one.status for one in outcomes_of(supervisor)} == {"Quick": "ok", "Parent": "timeout"}
    assert "SIGKILL; from now on its cells import it themselves" in supervisor.events.notes[0]


def test_a_cell_that_is_tried_again_begins_with_an_empty_folder(supervisor, task_for, tmp_path, wait_for):
    task = replace(task_for("Saved", flag=str(tmp_path / "flag")), save=True)
    supervisor.start(task)
    wait_for(lambda: at_work(task, "saved/parameters"))
    watchdog_of(supervisor).kill()
    (tmp_path / "flag").touch()
    (outcome,) = outcomes_of(supervisor)
    assert "SIGKILL; the cell is tried once more" in supervisor.events.notes[0]
    assert (outcome.status, outcome.cost.model_bytes) == ("ok", 3)
    assert [path.name for path in saved_in(task).iterdir()] == ["parameters"]


def test_no_dead_process_is_left_unburied(supervisor, task_for, wait_for):
    supervisor.start(task_for("Orphans"))
    assert outcome_of(supervisor).status == "ok"
    wait_for(lambda: len(watchdog_of(supervisor).children(recursive=True)) == 1)  # the fork server


def test_processes_that_nobody_needs_end_and_others_come_where_they_are_needed_again(supervisor, task_for, wait_for):
    supervisor.start(task_for("Quick"))
    watchdog = watchdog_of(supervisor)
    supervisor.keep({"tests"})
    assert outcome_of(supervisor).status == "ok"
    supervisor.keep(())
    wait_for(lambda: supervisor.wait() == [] and not supervisor._watchdogs)
    assert gone(watchdog)
    supervisor.start(task_for("Orphans"))
    assert outcome_of(supervisor).status == "ok"


def test_what_a_dying_watchdog_kept_ends_with_it_children_of_cells_included(supervisor, task_for, wait_for):
    supervisor.start(task_for("Parent"))
    watchdog = watchdog_of(supervisor)
    wait_for(lambda: len(watchdog.children(recursive=True)) == 3)  # a fork server, a cell, and the cell's child
    below = watchdog.children(recursive=True)
    watchdog.kill()
    wait_for(lambda: all(map(gone, below)))


@pytest.mark.parametrize(
    ("stop", "end"),
    [("keeper", "closed"), ("watchdog", "closed"), ("keeper, watchdog", "closed"), ("watchdog", "keeper killed")],
)
def test_who_is_stopped_ends_all_the_same(supervisor, task_for, wait_for, monkeypatch, stop, end):
    monkeypatch.setattr("cfbench.execution.supervisor._END_SECONDS", 1.0)
    supervisor.start(task_for("Parent"))
    watchdog = watchdog_of(supervisor)
    wait_for(lambda: len(watchdog.children(recursive=True)) == 3)  # a fork server, a cell, and the cell's child
    keeper = watchdog.parent()
    everybody = [keeper, *keeper.children(recursive=True)]
    for name, process in (("keeper", keeper), ("watchdog", watchdog)):
        if name in stop:
            process.suspend()
    if end == "keeper killed":
        keeper.kill()
    else:
        supervisor.close()
    wait_for(lambda: all(map(gone, everybody)))


def test_a_watchdog_that_says_nothing_is_ended(supervisor, task_for, wait_for, monkeypatch):
    supervisor.start(task_for("Quick", seconds=600.0))
    watchdog = watchdog_of(supervisor)
    wait_for(lambda: stopped(watchdog))
    monkeypatch.setattr("cfbench.execution.supervisor._SILENCE", 3.0)
    watchdog.suspend()
    wait_for(lambda: supervisor.wait() or supervisor.events.notes)
    assert "the cell is tried once more" in supervisor.events.notes[0]
    wait_for(lambda: gone(watchdog))


@pytest.mark.parametrize(
    ("model", "status", "note"),
    [
        ("Hanging", "timeout", "importing supervised_hanging:Hanging took longer than 10 s"),
        ("Aborting", "crashed", "importing supervised_aborting:Aborting was killed by SIGABRT"),
        ("Helped", "ok", "importing supervised_helper:Helped, supervised_models:Quick started processes"),
    ],
)
def test_a_model_whose_import_does_harm_costs_its_own_cell_and_is_named(supervisor, task_for, model, status, note):
    tasks = [replace(task_for(model), timeout=3.0), task_for("Quick")]
    supervisor.expected = tasks
    for task in tasks:
        supervisor.start(task)
    assert {one.task.name: one.status for one in outcomes_of(supervisor)} == {model: status, "Quick": "ok"}
    assert supervisor.events.notes == [f"{note}; from now on its cells import it themselves, within their limits"]


def test_cells_may_be_asked_to_import_for_themselves(supervisor, task_for, wait_for):
    supervisor.fresh = True
    supervisor.start(task_for("Quick", seconds=1.0))
    wait_for(lambda: len(watchdog_of(supervisor).children()) == 1)  # the cell
    (outcome,) = outcomes_of(supervisor)
    assert outcome.status == "ok"
    assert watchdog_of(supervisor).children() == []


def test_a_model_that_nobody_expected_is_imported_before_its_first_cell(supervisor, task_for):
    supervisor.start(task_for("Quick"))
    assert outcome_of(supervisor).status == "ok"
    supervisor.start(task_for("Orphans"))
    assert outcome_of(supervisor).status == "ok"
    assert supervisor.events.notes == []


def test_who_waits_for_an_import_that_runs_leaves_its_core_to_the_next_one(supervisor, task_for, wait_for):
    first, second, quick = map(task_for, ("Hanging", "Orphans", "Quick"))
    supervisor.expected = [first, second, *(replace(quick, distribution=name) for name in ("b", "c"))]
    supervisor.start(first)
    assert list(supervisor._watchdogs) == ["tests"]
    supervisor.start(second)
    assert list(supervisor._watchdogs) == ["tests", "b"]
    while "b" in supervisor.importing:
        supervisor.wait()
    assert list(supervisor._watchdogs) == ["tests", "b"], "one after another, as long as one imports"


def test_a_cell_is_in_a_control_group_of_its_own_where_groups_can_be_made(supervisor, task_for, wait_for):
    if (groups := ControlGroups.make()) is None:
        pytest.skip("the kernel lets us make no control groups here")
    groups.shut()
    supervisor.start(task_for("Quick", seconds=2.0))
    watchdog = watchdog_of(supervisor)
    server = wait_for(lambda: stopped(watchdog))
    (cell,) = {one.pid for one in watchdog.children()} - {server.pid}
    wait_for(lambda: re.search(rf"/cfbench-{watchdog.pid}\.\d+/{cell}$", group_of(cell), re.MULTILINE))
    assert outcome_of(supervisor).status == "ok"
    supervisor.close()
    assert list(Path("/sys/fs/cgroup").rglob(f"cfbench-{watchdog.pid}.*")) == []


def group_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
