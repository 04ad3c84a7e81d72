"""Rules on tasks: acquired in order, with equal outcomes, events and logs; the calling process stays as it is."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from cfbench.errors import StoreError
from cfbench.execution.contract import Outcome, Task
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_file import saved_in
from cfbench.model import EpochReport
from cfbench.spec import Value
from cfbench.testing.executors.executor_checks import SPLITS, RecordingQueue, Workbench, executor_rule, write_inputs
from cfbench.testing.rule import global_state_moves

_TO_THE_END = 3.0  # seconds from a task's last phases to its end, on a busy machine too
_LATE_PHASES = {"predict", "rank", "check", "save", "write"}
_REFUSED = "refused"
_WORDS = "as it were,"
_EPOCHS, _PAUSE = 4, 0.25  # seconds; executors may leave out what comes in quick succession
_PARAMETERS: dict[str, Value] = {
    "whole": 2**62 + 1,
    "real": 0.1 + 0.2,
    "text": 'Ærø\n"∞" \\ 𝕏',
    "truth": True,
    "nothing": None,
    "several": (1, 1.0, "1", False, None),
    "empty": (),
}


@executor_rule("parameters are JSON scalars or flat tuples")
def _parameters_are_plain(bench: Workbench) -> None:
    bench.require_plain_parameters(bench.executor)


@executor_rule("no tasks give no outcomes")
def _no_tasks(bench: Workbench) -> None:
    found = bench.run([])
    bench.require(not found, f"yields {found!r:.100} where there are no tasks; yield nothing")


def _run_four(bench: Workbench, queue: RecordingQueue) -> tuple[list[Task], list[Outcome]]:
    """Run four different tasks; return them, and what is yielded."""
    tasks = [
        bench.task("first", "Reporter", params={"epochs": 3}),
        bench.task(_REFUSED, "Mean"),
        bench.task("second", "Talker", params={"fails": True}),
        bench.task("last", "Learner", split=SPLITS[1]),
    ]
    return tasks, bench.run(tasks, queue)


@executor_rule("an acquired task gets one outcome, a refused one none")
def _one_outcome_each(bench: Workbench) -> None:
    tasks, found = _run_four(bench, RecordingQueue({_REFUSED}))
    names = sorted(outcome.task.name for outcome in found)
    given = f"was given first, second, last and {_REFUSED}, which queue.acquire refused"
    advice = "yield exactly one for every task that is acquired, none for others"
    one_each = names == ["first", "last", "second"]
    bench.require(one_each, f"{given}, and yields outcomes of {', '.join(names) or 'none'}; {advice}")
    case = "yields outcomes of other tasks than it was given"
    advice = "the task of an outcome is the given one, paths included"
    bench.require(all(outcome.task in tasks for outcome in found), f"{case}; {advice}")


@executor_rule("a task is acquired once, then started, then concluded")
def _calls_in_order(bench: Workbench) -> None:
    queue = RecordingQueue({_REFUSED})
    tasks, _ = _run_four(bench, queue)
    for name in (task.name for task in tasks):
        methods = [call.method for call in queue.calls if call.task == name]
        steps = [method for method in methods if method in ("acquire", "cell_started", "outcome")]
        expected = ["acquire"] if name == _REFUSED else ["acquire", "cell_started", "outcome"]
        case = f"calls for a task that the queue {'refuses' if name == _REFUSED else 'grants'}: {', '.join(methods)}"
        advice = "then queue.events.cell_started where it was acquired, then the rest"
        advice = f"call queue.acquire once, right before the task begins, {advice}"
        bench.require(steps == expected and methods[: len(expected) - 1] == expected[:-1], f"{case}; {advice}")


@executor_rule("the queue and its events are called from the thread that iterates")
def _calls_from_one_thread(bench: Workbench) -> None:
    queue = RecordingQueue()
    _run_four(bench, queue)
    iterating = {call.thread for call in queue.calls if call.method == "outcome"}
    others = ", ".join(sorted({call.method for call in queue.calls if call.thread not in iterating}))
    advice = "pass the call on, by a queue for example, to where outcomes are yielded"
    bench.require(not others, f"calls {others} from another thread than the one that iterates; {advice}")


class _FailingQueue(RecordingQueue):
    """A queue that fails for a task after one that is about to end, and for the ``last`` one."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.error = StoreError("no room is left for the task")
        self.one_has_ended = self._late = False
        self._last = last

    def acquire(self, task: Task) -> bool:
        if self._late and not self.one_has_ended:
            time.sleep(_TO_THE_END)
            self.one_has_ended = True
        if self._late or task.name == self._last:
            raise self.error
        return super().acquire(task)

    def cell_phase(self, task: Task, name: str) -> None:
        super().cell_phase(task, name)
        self._late |= name in _LATE_PHASES


@executor_rule("an error of the queue ends the run, after the outcomes of what was computed")
def _errors_end_the_run(bench: Workbench) -> None:
    tasks = [bench.task(f"task-{number}", "Learner") for number in range(4)]
    queue = _FailingQueue(tasks[-1].name)
    found, raised = list[Outcome](), None
    try:
        for outcome in bench.begin(tasks, queue):
            found.append(outcome)
    except StoreError as error:
        raised = error
    case = f"ends with {raised!r} where queue.acquire has raised {queue.error!r}"
    bench.require(raised is queue.error, f"{case}; let the queue's errors pass: they end the run")
    case = "loses what was computed where queue.acquire raises for the next task"
    advice = "yield the outcomes of tasks that have ended before the error passes"
    bench.require(found or not queue.one_has_ended, f"{case}; {advice}")


def _performed_here(task: Task) -> Outcome:
    here = replace(task, folder=f"{task.folder}-here", log=f"{task.log}-here")
    write_inputs(here)
    return perform(here, lambda _report: None)


def _arrays(outcome: Outcome) -> dict[str, tuple[object, ...]]:
    arrays = outcome.output.arrays() if outcome.output is not None else {}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def _require_same(bench: Workbench, found: Outcome, expected: Outcome, task: str) -> None:
    bench.require_status(found, "ok", task, "as it is where perform runs it here")
    before, after = _arrays(expected), _arrays(found)
    differing = [name for name, value in before.items() if after.get(name) != value]
    case = f"yields other {', '.join(differing) or 'arrays'} for {task}, than `perform` returns here"
    advice = "pass the task on as it is, and its output back as it is"
    bench.require(not differing and len(after) == len(before), f"{case}; {advice}")
    here = f"here it is {expected.losses}; pass it on to the last bit"
    bench.require(found.losses == expected.losses, f"yields the learning curve {found.losses} for {task}, {here}")
    right = all(expected.versions.get(name, version) == version for name, version in found.versions.items())
    advice = "pass on those that perform finds in the task's process"
    bench.require(
        "numpy" in found.versions and right, f"yields the versions {dict(found.versions)} for {task}; {advice}"
    )


@executor_rule("outcomes are those of the same task performed here, in any order and again")
def _outcomes_as_here(bench: Workbench) -> None:
    for order, step in (("in their order", 1), ("in reverse order", -1)):
        tasks = []
        for split, seed in [(split, seed) for split in SPLITS for seed in (3, 5)][::step]:
            fields = {"seed": seed, "list_length": seed, "params": {"scale": 1 / seed}}
            tasks.append(bench.task(f"{split}-{seed}-{step}", "Learner", split, **fields))
        for task, outcome in zip(tasks, bench.outcomes(tasks), strict=True):
            _require_same(bench, outcome, _performed_here(task), f"a task, given {order}")


@executor_rule("parameters reach the model as they are")
def _parameters_arrive(bench: Workbench) -> None:
    (outcome,) = bench.outcomes([bench.task("echo", "Echo", params=_PARAMETERS)])
    expected = f"ValueError: {_PARAMETERS!r}"
    case = f"was given a model that fails with its parameters, {expected}"
    found = f"its outcome is {outcome.status}: {outcome.reason}; Task.of makes tuples again of what JSON has made lists"
    bench.require(outcome.reason == expected, f"{case}, and {found}")


def _saved_files(task: Task) -> dict[str, bytes]:
    root = saved_in(task)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@executor_rule("saved models are in saved_in(task)")
def _saved_models_are_left(bench: Workbench) -> None:
    kept, plain = bench.task("kept", "Learner", save=True), bench.task("plain", "Learner", save=False)
    outcome, _ = bench.outcomes([kept, plain])
    here = _performed_here(kept)
    files, expected = _saved_files(kept), _saved_files(here.task)
    sizes = outcome.cost.model_bytes, here.cost.model_bytes
    left = f"leaves the files {sorted(files)} of {sizes[0]} bytes in saved_in(task) of a task with save=True"
    advice = "the model's own files belong there before the outcome is yielded"
    same = files == expected and sizes[0] == sizes[1]
    bench.require(same, f"{left}, here they are {sorted(expected)} of {sizes[1]}; {advice}")
    files = _saved_files(plain)
    bench.require(not files, f"saves a model of a task with save=False: {sorted(files)}; save none")


@executor_rule("a model's failure keeps its message, and costs no other task")
def _failures_stay_apart(bench: Workbench) -> None:
    message = f"{_WORDS} as the reason"
    failing = bench.task("failing", "Talker", params={"words": _WORDS, "fails": True})
    before, failed, after = bench.outcomes([bench.task("before", "Mean"), failing, bench.task("after", "Mean")])
    case = f"yields the outcome {failed.status!r}: {failed.reason!r} for a model that raises RuntimeError({message!r})"
    advice = "it must be 'failed', with the model's message in the reason"
    bench.require(failed.status == "failed" and message in failed.reason, f"{case}; {advice}")
    for outcome in (before, after):
        bench.require_status(outcome, "ok", "a task beside one that fails", "since a failure loses its own task only")


@executor_rule("phases and epochs are passed to the queue's events")
def _progress_is_passed_on(bench: Workbench) -> None:
    queue = RecordingQueue()
    bench.outcomes([bench.task("slow", "Reporter", params={"epochs": _EPOCHS, "pause": _PAUSE})], queue)
    phases, reports = queue.values("cell_phase", "slow"), queue.values("cell_epoch", "slow")
    advice = "call queue.events.cell_phase when perform announces one"
    bench.require("fit" in phases, f"notifies queue.events of the phases {phases}; {advice}")
    possible = [EpochReport(epoch, _EPOCHS, 1 / epoch) for epoch in range(1, _EPOCHS + 1)]
    case = f"notifies queue.events of the epochs {reports}, the model has reported {possible}"
    advice = "call queue.events.cell_epoch with the latest report, at most several times a second where that is slow"
    bench.require(reports and all(report in possible for report in reports), f"{case}; {advice}")


@executor_rule("what a model prints is in its log, the end of it in the outcome of a failure")
def _logs_are_kept(bench: Workbench) -> None:
    endings = {"quiet": False, "failing": True}
    tasks = [bench.task(name, "Talker", params={"words": _WORDS, "fails": fails}) for name, fails in endings.items()]
    for task, outcome in zip(tasks, bench.outcomes(tasks), strict=True):
        log = Path(task.log)
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        missing = [words for end in ("out", "err", "library") if (words := f"{_WORDS} {end}") not in text]
        advice = "what the model prints by sys.stdout, sys.stderr or descriptor 1 belongs there"
        bench.require(not missing, f"leaves {text!r:.300} in task.log; {advice}, {missing} is missing")
        told = outcome.status == "ok" or f"{_WORDS} as the reason" in outcome.log_tail
        advice = "it is the end of task.log, the traceback included: see cfbench.execution.tail_of"
        bench.require(told, f"yields the log_tail {outcome.log_tail!r} for a model that failed; {advice}")


def _require_unchanged(bench: Workbench, model: str, case: str, advice: str) -> None:
    """Require that a task changes nothing of this process; it is put back, so that a broken rule harms no other check.

    Messages read: "CASE WHAT of the process that calls it; ADVICE".
    """
    handlers = {number: signal.getsignal(number) for number in signal.Signals}
    folder, environment = Path.cwd(), dict(os.environ)
    try:
        bench.outcomes([bench.task("one", model)])
        unchanged = {
            "signal handlers": {number: signal.getsignal(number) for number in signal.Signals} == handlers,
            "the current folder": Path.cwd() == folder,
            "the environment": dict(os.environ) == environment,
        }
        changed = ", ".join(name for name, same in unchanged.items() if not same)
        bench.require(not changed, f"{case} {changed} of the process that calls it; {advice}")
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)
        os.chdir(folder)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)


@executor_rule("signals, folder and environment of the caller stay")
def _caller_is_left_alone(bench: Workbench) -> None:
    _require_unchanged(bench, "Learner", "changes", "restore at the end what it has to change")


@executor_rule("what a model changes in its process is its own", "isolation")
def _models_change_their_own_process(bench: Workbench) -> None:
    _require_unchanged(bench, "Vandal", "lets a model change", "give every task a process of its own")


@executor_rule("global random state of the caller is left alone")
def _global_randomness_stays(bench: Workbench) -> None:
    moved = ", ".join(global_state_moves(lambda: bench.outcomes([bench.task("one", "Learner")])))
    advice = "use a generator of its own"
    bench.require(not moved, f"moves the global random state of {moved} in the process that calls it; {advice}")
