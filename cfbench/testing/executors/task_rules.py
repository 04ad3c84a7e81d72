"""Rules on parameters, and on how tasks are acquired from the queue."""

from __future__ import annotations

import time

from cfbench.errors import StoreError
from cfbench.execution.task import Outcome, Task
from cfbench.testing.executors.recording_queue import SPLITS, RecordingQueue
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

_TO_THE_END = 3.0  # seconds from a task's last phases to its end, on a busy machine too
_LATE_PHASES = {"predict", "rank", "check", "save", "write"}
_REFUSED = "theirs"


def _has_plain_parameters(bench: Bench) -> None:
    bench.require_plain_parameters(bench.executor)


def _needs_no_tasks(bench: Bench) -> None:
    found = bench.run([])
    bench.require(not found, f"yields {found!r:.100} where there are no tasks; yield nothing")


def _gives_one_outcome_each(bench: Bench) -> None:
    tasks, found = _taken_out(bench, RecordingQueue({_REFUSED}))
    given = sorted(outcome.task.name for outcome in found)
    bench.require(
        given == ["first", "last", "second"],
        f"was given first, second, last and refused {_REFUSED!r} by queue.acquire, and yields outcomes of "
        f"{', '.join(given) or 'none'}; yield exactly one for every task that is acquired, none for others",
    )
    bench.require(
        all(outcome.task in tasks for outcome in found),
        "yields outcomes of other tasks than it was given; an outcome has its task as that came, paths included",
    )


def _takes_out_in_order(bench: Bench) -> None:
    queue = RecordingQueue({_REFUSED})
    _taken_out(bench, queue)
    for name in ("first", _REFUSED, "second", "last"):
        kinds = [one.kind for one in queue.heard if one.task == name]
        steps = [kind for kind in kinds if kind in ("acquire", "cell_started", "outcome")]
        wanted = ["acquire"] if name == _REFUSED else ["acquire", "cell_started", "outcome"]
        bench.require(
            steps == wanted and kinds[: len(wanted) - 1] == wanted[:-1],
            f"does with a task that the queue {'refuses' if name == _REFUSED else 'grants'}: {', '.join(kinds)}; call "
            "queue.acquire once, right before the task begins, then queue.events.cell_started where it was "
            "acquired, then the rest",
        )


def _speaks_from_one_thread(bench: Bench) -> None:
    queue = RecordingQueue()
    _taken_out(bench, queue)
    here = {one.thread for one in queue.heard if one.kind == "outcome"}
    strangers = sorted({one.kind for one in queue.heard if one.thread not in here})
    bench.require(
        not strangers,
        f"calls {', '.join(strangers)} from another thread than the one that iterates; hand "
        "it over, by a queue say, to where outcomes are yielded",
    )


def _taken_out(bench: Bench, queue: RecordingQueue) -> tuple[list[Task], list[Outcome]]:
    """Have four tasks of all sorts carried out; return them, and what is yielded."""
    tasks = [
        bench.task("first", "Reporter", params={"epochs": 3}),
        bench.task(_REFUSED, "Mean"),
        bench.task("second", "Talker", params={"fails": True}),
        bench.task("last", "Learner", split=SPLITS[1]),
    ]
    return tasks, bench.run(tasks, queue)


class _FullQueue(RecordingQueue):
    """Has no room for a task that comes after one which is about to end, nor for the last one."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.error = StoreError("no room is left for the task")
        self.one_has_ended = False
        self._last = last
        self._late = False

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


def _passes_errors_on(bench: Bench) -> None:
    tasks = [bench.task(f"task-{number}", "Learner") for number in range(4)]
    queue = _FullQueue(tasks[-1].name)
    found, came = list[Outcome](), None
    try:
        for outcome in bench.begin(tasks, queue):
            found.append(outcome)
    except StoreError as error:
        came = error
    bench.require(
        came is queue.error,
        f"ends with {came!r} where queue.acquire has raised {queue.error!r}; let the queue's errors through: "
        "they end the run",
    )
    bench.require(
        found or not queue.one_has_ended,
        "loses what was computed where queue.acquire raises for the next task; yield the outcomes of tasks that have "
        "ended before the error goes its way",
    )


RULES = (
    ExecutorRule("parameters are JSON scalars or flat tuples", _has_plain_parameters),
    ExecutorRule("no tasks give no outcomes", _needs_no_tasks),
    ExecutorRule("an acquired task gets one outcome, a refused one none", _gives_one_outcome_each),
    ExecutorRule("a task is acquired once, then started, then concluded", _takes_out_in_order),
    ExecutorRule("the queue and its events are called from the thread that iterates", _speaks_from_one_thread),
    ExecutorRule("an error of the queue ends the run, after the outcomes of what was computed", _passes_errors_on),
)
