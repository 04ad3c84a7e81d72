"""Rules on processes that die or have to be ended, for executors that give every task one of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import psutil

from cfbench.execution.contract import Task
from cfbench.model import EpochReport
from cfbench.testing.executors.executor_checks import RecordingQueue, Workbench, executor_rule

A_MOMENT = 10.0
"""Seconds that a killed process may take to be gone, on a busy machine."""

_SOON = 45.0  # seconds in which what is ended has ended, on a busy machine too; the models would run much longer
_TO_BEGIN = 5.0  # seconds in which a task that was started has begun
_BETWEEN_LOOKS = 0.05  # seconds


def _new_mark() -> str:
    """Return a name that no process has yet, short enough for the name of a process."""
    return f"cfb-{uuid.uuid4().hex[:10]}"


def _marked(mark: str) -> list[psutil.Process]:
    """Return the living processes of this machine that are called ``mark``, or were started with it."""
    return [
        process
        for process in psutil.process_iter(["name", "cmdline", "status"])
        if (process.info["name"] == mark or mark in (process.info["cmdline"] or ()))
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds, or the time is over."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(_BETWEEN_LOOKS)


def _require_gone(bench: Workbench, mark: str, when: str) -> None:
    """Require that no process with a mark lives on this machine."""
    _wait_for(lambda: not _marked(mark), A_MOMENT)
    left = _marked(mark)
    for process in left:
        with suppress(psutil.Error):  # it has ended with another one
            process.kill()
    psutil.wait_procs(left, timeout=_SOON)
    advice = "end all that a task has started, children that have left its session included"
    bench.require(not left, f"{when} and leaves {len(left)} processes of the model behind; {advice}")


@executor_rule("a process that dies is a crash, and costs no other task", "isolation")
def _crashes_stay_apart(bench: Workbench) -> None:
    causes = {"exit": "os._exit(3)", "signal": "a segmentation fault"}
    dying = [bench.task(by, "Dies", params={"by": by}) for by in causes]
    *dead, alive = bench.outcomes([*dying, bench.task("alive", "Mean")])
    for outcome, cause in zip(dead, causes.values(), strict=True):
        case = f"a model whose process ends by {cause}"
        bench.require_status(outcome, "crashed", case, "with a reason that names the cause")
    bench.require_status(alive, "ok", "a task beside ones that crash", "since a crash loses its own task only")


def _require_limit(bench: Workbench, status: str, model: str, params: dict[str, Any], **limit: Any) -> None:
    """Require that a task beyond a limit is ended, and another one is not."""
    mark = _new_mark()
    beyond = bench.task("beyond", model, params={**params, "mark": mark}, **limit)
    began = time.monotonic()
    found, other = bench.outcomes([beyond, bench.task("other", "Mean")])
    seconds = time.monotonic() - began
    task = "a task with " + ", ".join(f"{name}={value:g}" for name, value in limit.items())
    bench.require_status(found, status, f"{task} and a model beyond that", "with a reason that names the limit")
    bench.require_status(other, "ok", "the task after that", "since it has no limit")
    bench.require(seconds < _SOON, f"takes {seconds:.0f} s to end {task}; look at the limit often")
    _require_gone(bench, mark, f"ends {task}")


@executor_rule("a task that takes longer than its time limit is ended", "isolation")
def _time_is_limited(bench: Workbench) -> None:
    _require_limit(bench, "timeout", "Sleeper", {}, timeout=0.5)


@executor_rule("a task that holds more than its memory limit is ended", "isolation")
def _memory_is_limited(bench: Workbench) -> None:
    _require_limit(bench, "out-of-memory", "Hoarder", {"mebibytes": 768}, memory_limit=384 << 20)


@executor_rule("what a model has started ends with its task", "isolation")
def _children_end(bench: Workbench) -> None:
    mark = _new_mark()
    (outcome,) = bench.outcomes([bench.task("parent", "Parent", params={"mark": mark})])
    bench.require_status(outcome, "ok", "a model that starts a process and predicts", "whatever becomes of the process")
    _require_gone(bench, mark, "ends")


def _require_ended(bench: Workbench, mark: str, since: float, when: str) -> None:
    seconds = time.monotonic() - since
    advice = "end what runs, do not wait for its outcome"
    bench.require(seconds < _SOON, f"takes {seconds:.0f} s to end where it {when} while a task sleeps; {advice}")
    _require_gone(bench, mark, when)


@executor_rule("closing ends what runs, and leaves no process", "isolation")
def _closing_ends_tasks(bench: Workbench) -> None:
    mark, queue = _new_mark(), RecordingQueue()
    tasks = [bench.task("quick", "Mean"), bench.task("sleeper", "Sleeper", params={"mark": mark})]
    outcomes = bench.begin(tasks, queue)
    next(outcomes, None)
    if queue.values("cell_started", "sleeper"):
        _wait_for(lambda: len(_marked(mark)) > 1, _TO_BEGIN)
    began = time.monotonic()
    outcomes.close()
    _require_ended(bench, mark, began, "is closed")


class _InterruptedQueue(RecordingQueue):
    """A queue whose user presses Ctrl-C in the first epoch.

    Attributes:
        interrupted: when that was, by the monotonic clock.
    """

    interrupted: float = 0.0

    def cell_epoch(self, task: Task, report: EpochReport) -> NoReturn:
        super().cell_epoch(task, report)
        self.interrupted = time.monotonic()
        raise KeyboardInterrupt


@executor_rule("an interrupt ends what runs, and leaves no process", "isolation")
def _interrupts_end_tasks(bench: Workbench) -> None:
    mark, queue = _new_mark(), _InterruptedQueue()
    with suppress(KeyboardInterrupt):
        bench.run([bench.task("sleeper", "Sleeper", params={"mark": mark})], queue)
        case = "goes on where a KeyboardInterrupt is raised while it notifies queue.events"
        bench.require(False, f"{case}; let it pass, and end in `finally` what runs")
    _require_ended(bench, mark, queue.interrupted, "is interrupted")
