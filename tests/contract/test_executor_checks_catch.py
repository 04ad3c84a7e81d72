"""Executors that each break one rule, and the check that must notice."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from cfbench.errors import StoreError, UnknownNameError
from cfbench.execution.contract import Task
from cfbench.execution.executors import ProcessExecutor
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.supervisor import Supervisor
from cfbench.testing.executors import executor_checks

PLAIN = "parameters are JSON scalars or flat tuples"
ONE_EACH = "an acquired task gets one outcome, a refused one none"
IN_ORDER = "a task is acquired once, then started, then concluded"
ONE_THREAD = "the queue and its events are called from the thread that iterates"
ERRORS = "an error of the queue ends the run, after the outcomes of what was computed"
SAME = "outcomes are those of the same task performed here, in any order and again"
PARAMETERS = "parameters reach the model as they are"
SAVED = "saved models are in saved_in(task)"
FAILURES = "a model's failure keeps its message, and costs no other task"
PROGRESS = "phases and epochs are passed to the queue's events"
LOGS = "what a model prints is in its log, the end of it in the outcome of a failure"
SURROUNDINGS = "signals, folder and environment of the caller stay"
RANDOMNESS = "global random state of the caller is left alone"
OWN_PROCESS = "what a model changes in its process is its own"
CRASHES = "a process that dies is a crash, and costs no other task"
TIME = "a task that takes longer than its time limit is ended"
MEMORY = "a task that holds more than its memory limit is ended"
CHILDREN = "what a model has started ends with its task"
CLOSING = "closing ends what runs, and leaves no process"
INTERRUPT = "an interrupt ends what runs, and leaves no process"


def checks(*names):
    return [check for check in executor_checks() if str(check) in names]


@pytest.fixture
def impatient(monkeypatch):
    """What has not been ended at once is not going to be."""
    monkeypatch.setattr("cfbench.testing.executors.process_rules.A_MOMENT", 0.5)


def refusal(executor, name, folder) -> str:
    """What the check called ``name`` says of an executor, empty where it passes."""
    (check,) = checks(name)
    try:
        check(executor, folder)
    except AssertionError as error:
        return str(error)
    return ""


@dataclass
class Here:
    """Carries tasks out here, one after another; mutants change a step."""

    def __call__(self, tasks, queue):
        for task in tasks:
            if self.acquire(task, queue):
                queue.events.cell_started(task)
                yield from self.conclude(task, queue)

    def acquire(self, task, queue):
        return queue.acquire(task)

    def conclude(self, task, queue):
        yield perform(task, partial(queue.events.cell_epoch, task), partial(queue.events.cell_phase, task))


class LosesTheLast(Here):
    def __call__(self, tasks, queue):
        yield from super().__call__(tasks[:-1] or tasks, queue)


class ChangesTheTask(Here):
    def conclude(self, task, queue):
        for outcome in super().conclude(task, queue):
            yield replace(outcome, task=replace(task, folder="/elsewhere"))


class YieldsTwice(Here):
    def conclude(self, task, queue):
        for outcome in super().conclude(task, queue):
            yield from (outcome, outcome)


class RunsWhatIsRefused(Here):
    def acquire(self, task, queue):
        return super().acquire(task, queue) or True


class AdmitsTwice(Here):
    def acquire(self, task, queue):
        return super().acquire(task, queue) and super().acquire(task, queue)


class StartsUnasked(Here):
    def acquire(self, task, queue):
        queue.events.cell_started(task)
        return super().acquire(task, queue)


class StartsWhatIsRefused(Here):
    def acquire(self, task, queue):
        if not super().acquire(task, queue):
            queue.events.cell_started(task)
            return False
        return True


class SpeaksFromAThread(Here):
    def conclude(self, task, queue):
        found = []
        thread = threading.Thread(target=lambda: found.extend(super(SpeaksFromAThread, self).conclude(task, queue)))
        thread.start()
        thread.join()
        yield from found


class SwallowsErrors(Here):
    def acquire(self, task, queue):
        with suppress(StoreError):
            return super().acquire(task, queue)


class WrapsErrors(Here):
    def acquire(self, task, queue):
        try:
            return super().acquire(task, queue)
        except StoreError as error:
            raise StoreError("something went wrong") from error


class HoldsOutcomesBack(Here):
    """Loses what was computed where the queue has no room for the next task."""

    def __call__(self, tasks, queue):
        yield from list(super().__call__(tasks, queue))


class ForgetsTheSeed(Here):
    def conclude(self, task, queue):
        yield from super().conclude(replace(task, seed=0), queue)


class RoundsTheCurve(Here):
    def conclude(self, task, queue):
        for outcome in super().conclude(task, queue):
            losses = [replace(epoch, train_loss=round(epoch.train_loss, 6)) for epoch in outcome.losses]
            yield replace(outcome, losses=tuple(losses))


class TellsOtherVersions(Here):
    def conclude(self, task, queue):
        for outcome in super().conclude(task, queue):
            yield replace(outcome, versions={"numpy": "0.1"})


@dataclass
class WorksOnce(Here):
    used: list = field(default_factory=list, init=False)

    def __call__(self, tasks, queue):
        yield from super().__call__([] if self.used else tasks, queue)
        self.used.append(True)


class MakesListsOfTuples(Here):
    def conclude(self, task, queue):
        lists = {key: list(value) if isinstance(value, tuple) else value for key, value in task.params.items()}
        yield from super().conclude(Task(**{**asdict(task), "params": lists}), queue)


class NeverSaves(Here):
    def conclude(self, task, queue):
        yield from super().conclude(replace(task, save=False), queue)


class AlwaysSaves(Here):
    def conclude(self, task, queue):
        yield from super().conclude(replace(task, save=True), queue)


class HasWordsOfItsOwn(Here):
    def conclude(self, task, queue):
        for outcome in super().conclude(task, queue):
            yield replace(outcome, reason="it did not work" if outcome.status != "ok" else "")


class KeepsEpochsToItself(Here):
    def conclude(self, task, queue):
        yield perform(task, lambda report: None, partial(queue.events.cell_phase, task))


class KeepsPhasesToItself(Here):
    def conclude(self, task, queue):
        yield perform(task, partial(queue.events.cell_epoch, task))


class ChangesASignal(Here):
    def conclude(self, task, queue):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        yield from super().conclude(task, queue)


class ChangesTheFolder(Here):
    def conclude(self, task, queue):
        os.chdir(task.folder)
        yield from super().conclude(task, queue)


class ChangesTheEnvironment(Here):
    def conclude(self, task, queue):
        os.environ["OMP_NUM_THREADS"] = "17"
        yield from super().conclude(task, queue)


class Draws(Here):
    def conclude(self, task, queue):
        random.random()
        yield from super().conclude(task, queue)


class SeedsNumpy(Here):
    def conclude(self, task, queue):
        np.random.seed(task.seed)  # noqa: NPY002 - it is a mutant
        yield from super().conclude(task, queue)


class GivesAList(Here):
    def __call__(self, tasks, queue):
        return list(super().__call__(tasks, queue))


class InventsOutcomes(Here):
    def __call__(self, tasks, queue):
        yield from super().__call__(tasks, queue)
        if not tasks:
            yield None


BROKEN = [
    (LosesTheLast, ONE_EACH, "yields outcomes of first, second; yield exactly one"),
    (YieldsTwice, ONE_EACH, "yields outcomes of first, first"),
    (ChangesTheTask, ONE_EACH, "yields outcomes of other tasks than it was given"),
    (RunsWhatIsRefused, ONE_EACH, "refused, which queue.acquire refused, and yields outcomes of .*refused"),
    (GivesAList, ONE_EACH, "returns a list; make __call__ a generator function"),
    (AdmitsTwice, IN_ORDER, "calls for a task that the queue grants: acquire, acquire, .*; call queue.acquire once"),
    (StartsUnasked, IN_ORDER, "the queue grants: cell_started, acquire"),
    (StartsWhatIsRefused, IN_ORDER, "calls for a task that the queue refuses: acquire, cell_started"),
    (SpeaksFromAThread, ONE_THREAD, "calls cell_epoch, cell_phase from another thread"),
    (SwallowsErrors, ERRORS, r"ends with None where queue.acquire has raised StoreError\('no room is left"),
    (WrapsErrors, ERRORS, r"ends with StoreError\('something went wrong'\)"),
    (HoldsOutcomesBack, ERRORS, "loses what was computed where queue.acquire raises for the next task"),
    (ForgetsTheSeed, SAME, "yields other .*lists.* for a task, given in their order, than"),
    (RoundsTheCurve, SAME, "yields the learning curve"),
    (TellsOtherVersions, SAME, r"yields the versions \{'numpy': '0.1'\}"),
    (WorksOnce, SAME, "ends without an outcome of"),
    (MakesListsOfTuples, PARAMETERS, r"'several': \[1, 1.0, '1', False, None\].*Task.of makes tuples again"),
    (NeverSaves, SAVED, r"leaves the files \[\] of None bytes in saved_in\(task\) of a task with save=True"),
    (AlwaysSaves, SAVED, "saves a model of a task with save=False"),
    (
        HasWordsOfItsOwn,
        FAILURES,
        "'failed': 'it did not work' for a model that raises .* 'failed', with the model's message in the reason",
    ),
    (KeepsEpochsToItself, PROGRESS, r"notifies queue.events of the epochs \[\]"),
    (KeepsPhasesToItself, PROGRESS, r"notifies queue.events of the phases \[\]"),
    (Here, LOGS, "leaves '' in task.log"),
    (ChangesASignal, SURROUNDINGS, "changes signal handlers of the process that calls it"),
    (ChangesTheFolder, SURROUNDINGS, "changes the current folder of"),
    (ChangesTheEnvironment, SURROUNDINGS, "changes the environment of"),
    (Draws, RANDOMNESS, "moves the global random state of random in"),
    (SeedsNumpy, RANDOMNESS, r"moves the global random state of numpy\.random in"),
    (Here, OWN_PROCESS, "lets a model change signal handlers, the current folder, the environment of"),
    (InventsOutcomes, "no tasks give no outcomes", "yields None; yield cfbench.execution.Outcome"),
]


@pytest.mark.parametrize(("executor", "name", "words"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_rule_is_noticed_by_its_check(executor, name, words, tmp_path):
    with pytest.raises(AssertionError, match=f"^{executor.__name__}: .*{words}"):
        checks(name)[0](executor(), tmp_path)


@pytest.mark.parametrize("check", [check for check in executor_checks(isolates=False) if str(check) != LOGS], ids=str)
def test_a_conforming_executor_breaks_no_rule(check, tmp_path):
    check(Here(), tmp_path)


@dataclass
class Apart:
    """Carries out one task at a time in a process of its own; mutants change what comes of it."""

    def __call__(self, tasks, queue):
        with closing(ProcessExecutor()(self.changed(tasks), queue)) as outcomes:
            yield from map(self.concluded, outcomes)

    def changed(self, tasks):
        return tasks

    def concluded(self, outcome):
        return outcome


class DropsTheLog(Apart):
    def concluded(self, outcome):
        Path(outcome.task.log).unlink(missing_ok=True)
        return outcome


class DropsTheTail(Apart):
    def concluded(self, outcome):
        return replace(outcome, log_tail="")


class CallsCrashesFailures(Apart):
    def concluded(self, outcome):
        return replace(outcome, status="failed") if outcome.status == "crashed" else outcome


class TakesItsTime(Apart):
    """Ends what sleeps, and says that it has found that out itself."""

    def concluded(self, outcome):
        return replace(outcome, status="crashed") if outcome.status == "timeout" else outcome


class ForgetsTheReason(Apart):
    def concluded(self, outcome):
        return replace(outcome, reason="")


class KnowsNoMemoryLimit(Apart):
    """Leaves it to the clock to end what grows."""

    def changed(self, tasks):
        return [replace(task, memory_limit=None, timeout=0.5 if task.memory_limit else None) for task in tasks]


BROKEN_APART = [
    (DropsTheLog, LOGS, "leaves '' in task.log; what the model prints"),
    (DropsTheTail, LOGS, "yields the log_tail '' for a model that failed"),
    (CallsCrashesFailures, CRASHES, r"yields the outcome 'failed': .* for a model whose process ends by os._exit\(3\)"),
    (ForgetsTheReason, CRASHES, "the outcome 'crashed': ''"),
    (TakesItsTime, TIME, "yields the outcome 'crashed': .* for a task with timeout=0.5 and a model beyond that"),
    (KnowsNoMemoryLimit, MEMORY, r"the outcome 'timeout': .* for a task with memory_limit=4.* and a model beyond that"),
]


@pytest.mark.parametrize(("executor", "name", "words"), BROKEN_APART, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_promise_about_processes_is_noticed_by_its_check(executor, name, words, tmp_path):
    with pytest.raises(AssertionError, match=f"^{executor.__name__}: .*{words}"):
        checks(name)[0](executor(), tmp_path)


@dataclass
class Careless:
    """Does not look after what it has started."""

    def __call__(self, tasks, queue):
        supervisor = Supervisor(queue.events)
        self.supervisors.append(supervisor)
        for task in tasks:
            queue.acquire(task)
            queue.events.cell_started(task)
            supervisor.start(task)
        while supervisor.running:
            yield from supervisor.wait()
        supervisor.close()

    supervisors: list = field(default_factory=list, init=False)


@pytest.mark.parametrize(("name", "when"), [(CLOSING, "is closed"), (INTERRUPT, "is interrupted")])
@pytest.mark.usefixtures("impatient")
def test_processes_that_outlive_the_executor_are_noticed_and_ended(name, when, tmp_path):
    careless = Careless()
    with pytest.raises(AssertionError, match=f"^Careless: {when} and leaves 2 processes of the model behind; end all"):
        checks(name)[0](careless, tmp_path)
    for supervisor in careless.supervisors:
        supervisor.close()


class HeedsNoInterrupt(Apart):
    def __call__(self, tasks, queue):
        with suppress(KeyboardInterrupt):
            yield from super().__call__(tasks, queue)


def test_an_executor_that_keeps_an_interrupt_to_itself_is_noticed(tmp_path):
    assert "goes on where a KeyboardInterrupt is raised" in refusal(HeedsNoInterrupt(), INTERRUPT, tmp_path)


@pytest.mark.usefixtures("impatient")
def test_a_child_that_outlives_its_task_is_noticed_and_ended(tmp_path):
    before = set(psutil.Process().children())
    assert "ends and leaves 1 processes of the model behind" in refusal(Here(), CHILDREN, tmp_path)
    assert set(psutil.Process().children()) <= before


def test_an_expected_failure_passes_and_one_that_does_not_fail_is_an_error(tmp_path):
    exempt = executor_checks(isolates=False, expected_failures={LOGS: "prints to the terminal", SAVED: "said so"})
    reasoned = {str(check): check for check in exempt if check.expected_failure}
    reasoned[LOGS](Here(), tmp_path / "logs")
    with pytest.raises(
        AssertionError, match=f"^Here: {re.escape(SAVED)}: passes, although it is listed .* 'said so'; take it off"
    ):
        reasoned[SAVED](Here(), tmp_path / "saved")


def test_an_expected_failure_of_no_check_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'parameters reach the model as they are'"):
        executor_checks(expected_failures={"parameters reach a model": "spelling"})


def test_rules_on_processes_bind_only_executors_that_isolate():
    with pytest.raises(UnknownNameError):
        executor_checks(isolates=False, expected_failures={CRASHES: "takes the run along"})


def test_what_an_executor_raises_is_told_with_the_check_that_found_it(tmp_path):
    class Raises(Here):
        def conclude(self, task, queue):
            raise LookupError("no such place")

    assert refusal(Raises(), PARAMETERS, tmp_path) == f"Raises: {PARAMETERS}: raised LookupError: no such place"


def test_parameters_that_no_command_line_knows_are_noticed(tmp_path):
    @dataclass
    class Fancy(Here):
        places: list = field(default_factory=list)

    class Plain: ...

    assert "parameter 'places' is []; the command line," in refusal(Fancy(), PLAIN, tmp_path)
    assert "is not a dataclass" in refusal(Plain(), PLAIN, tmp_path)
