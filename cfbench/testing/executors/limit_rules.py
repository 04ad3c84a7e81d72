"""Rules on processes that die, or have to be ended; for executors that give every task one of its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import psutil

from cfbench.testing.executors.marks import SOON, bearers, new_mark, wait_for
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

A_MOMENT = 10.0
"""Seconds that what has been killed may take to be gone, on a busy machine."""

_MEBIBYTE = 1 << 20


def _survives_crashes(bench: Bench) -> None:
    tasks = [
        bench.task("exit", "Dies", params={"by": "exit"}),
        bench.task("signal", "Dies", params={"by": "signal"}),
        bench.task("alive", "Mean"),
    ]
    *dead, alive = bench.outcomes(tasks)
    for outcome, how in zip(dead, ("os._exit(3)", "a segmentation fault"), strict=True):
        bench.require(
            outcome.status == "crashed" and outcome.reason,
            f"makes of a model whose process ends by {how} the outcome {outcome.status!r}: {outcome.reason!r}; it is "
            "'crashed', with a reason that says how",
        )
    bench.require(
        alive.status == "ok",
        f"makes of a task beside ones that crash {alive.status!r}: {alive.reason}; a crash loses its own task only",
    )


def _keeps_time_limits(bench: Bench) -> None:
    _require_ended(bench, "timeout", "Sleeper", timeout=0.5)


def _keeps_memory_limits(bench: Bench) -> None:
    _require_ended(bench, "out-of-memory", "Hoarder", {"mebibytes": 768}, memory_limit=384 * _MEBIBYTE)


def _require_ended(bench: Bench, status: str, model: str, params: dict[str, Any] | None = None, **limit: Any) -> None:
    """Demand that a task beyond a limit is ended, and another one is not."""
    mark = new_mark()
    beyond = bench.task("beyond", model, params={**(params or {}), "mark": mark}, **limit)
    began = time.monotonic()
    found, other = bench.outcomes([beyond, bench.task("other", "Mean")])
    told = ", ".join(f"{name}={value:g}" for name, value in limit.items())
    bench.require(
        found.status == status and found.reason,
        f"makes of a task with {told}, and a model beyond that, the outcome {found.status!r}: {found.reason!r}; it is "
        f"{status!r}, with a reason that names the limit",
    )
    bench.require(
        other.status == "ok", f"makes of the task after that {other.status!r}: {other.reason}; it has no limit"
    )
    bench.require(
        time.monotonic() - began < SOON,
        f"takes {time.monotonic() - began:.0f} s where a task with {told} is to be ended; look at the limit often",
    )
    require_gone(bench, mark, f"ends a task with {told}")


def _leaves_no_children(bench: Bench) -> None:
    mark = new_mark()
    (outcome,) = bench.outcomes([bench.task("parent", "Parent", params={"mark": mark})])
    bench.require(
        outcome.status == "ok",
        f"makes of a model that starts a process and answers {outcome.status!r}: {outcome.reason}; it is 'ok'",
    )
    require_gone(bench, mark, "ends")


def require_gone(bench: Bench, mark: str, when: str) -> None:
    """Demand that no process with a mark lives on this machine."""
    wait_for(lambda: not bearers(mark), A_MOMENT)
    left = bearers(mark)
    for process in left:
        with suppress(psutil.Error):  # it has ended with another one
            process.kill()
    psutil.wait_procs(left, timeout=SOON)
    bench.require(
        not left,
        f"{when} and leaves {len(left)} processes of the model behind; end all that a task has started, children that "
        "have left its session included",
    )


RULES = (
    ExecutorRule("a process that dies is a crash, and costs no other task", _survives_crashes, isolates=True),
    ExecutorRule("a task that takes longer than its time limit is ended", _keeps_time_limits, isolates=True),
    ExecutorRule("a task that holds more than its memory limit is ended", _keeps_memory_limits, isolates=True),
    ExecutorRule("what a model has started ends with its task", _leaves_no_children, isolates=True),
)
