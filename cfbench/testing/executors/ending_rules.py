"""Rules on an executor that is told to end: by closing it, and by an interrupt."""

from __future__ import annotations

import time
from typing import NoReturn

from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.testing.executors.limit_rules import require_gone
from cfbench.testing.executors.marks import SOON, bearers, new_mark, wait_for
from cfbench.testing.executors.recording_queue import RecordingDesk
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

_TO_BEGIN = 5.0  # seconds that a task which was begun is waited for


def _ends_where_it_is_closed(bench: Bench) -> None:
    mark, desk = new_mark(), RecordingDesk()
    tasks = [bench.task("quick", "Mean"), bench.task("sleeper", "Sleeper", params={"mark": mark})]
    outcomes = bench.begin(tasks, desk)
    next(outcomes, None)
    if desk.told("started", "sleeper"):
        wait_for(lambda: len(bearers(mark)) > 1, _TO_BEGIN)
    began = time.monotonic()
    outcomes.close()
    _require_ended(bench, mark, time.monotonic() - began, "is closed")


class _InterruptedDesk(RecordingDesk):
    """Where the user presses Ctrl-C in the first epoch.

    Attributes:
        at: when that was, by the monotonic clock.
    """

    at: float = 0.0

    def epoch(self, task: Task, report: EpochReport) -> NoReturn:
        super().epoch(task, report)
        self.at = time.monotonic()
        raise KeyboardInterrupt


def _ends_where_it_is_interrupted(bench: Bench) -> None:
    mark, desk = new_mark(), _InterruptedDesk()
    interrupted = False
    try:
        bench.run([bench.task("sleeper", "Sleeper", params={"mark": mark})], desk)
    except KeyboardInterrupt:
        interrupted = True
    bench.require(
        interrupted,
        "goes on where a KeyboardInterrupt is raised while it calls the desk; let it through, and end in `finally` "
        "what runs",
    )
    _require_ended(bench, mark, time.monotonic() - desk.at, "is interrupted")


def _require_ended(bench: Bench, mark: str, seconds: float, when: str) -> None:
    bench.require(
        seconds < SOON,
        f"takes {seconds:.0f} s to end where it {when} while a task sleeps; end what runs, do not wait for its outcome",
    )
    require_gone(bench, mark, when)


RULES = (
    ExecutorRule("closing ends what runs, and leaves no process", _ends_where_it_is_closed, isolates=True),
    ExecutorRule("an interrupt ends what runs, and leaves no process", _ends_where_it_is_interrupted, isolates=True),
)
