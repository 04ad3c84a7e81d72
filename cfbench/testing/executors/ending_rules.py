"""Rules on an executor that is told to end: by closing it, and by an interrupt."""

from __future__ import annotations

import time
from typing import NoReturn

from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.testing.executors.limit_rules import require_gone
from cfbench.testing.executors.marks import SOON, bearers, new_mark, wait_for
from cfbench.testing.executors.recording_queue import RecordingQueue
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

_TO_BEGIN = 5.0  # seconds that a task which was begun is waited for


def _ends_where_it_is_closed(bench: Bench) -> None:
    mark, queue = new_mark(), RecordingQueue()
    tasks = [bench.task("quick", "Mean"), bench.task("sleeper", "Sleeper", params={"mark": mark})]
    outcomes = bench.begin(tasks, queue)
    next(outcomes, None)
    if queue.told("cell_started", "sleeper"):
        wait_for(lambda: len(bearers(mark)) > 1, _TO_BEGIN)
    began = time.monotonic()
    outcomes.close()
    _require_ended(bench, mark, time.monotonic() - began, "is closed")


class _InterruptedQueue(RecordingQueue):
    """Where the user presses Ctrl-C in the first epoch.

    Attributes:
        at: when that was, by the monotonic clock.
    """

    at: float = 0.0

    def cell_epoch(self, task: Task, report: EpochReport) -> NoReturn:
        super().cell_epoch(task, report)
        self.at = time.monotonic()
        raise KeyboardInterrupt


def _ends_where_it_is_interrupted(bench: Bench) -> None:
    mark, queue = new_mark(), _InterruptedQueue()
    interrupted = False
    try:
        bench.run([bench.task("sleeper", "Sleeper", params={"mark": mark})], queue)
    except KeyboardInterrupt:
        interrupted = True
    bench.require(
        interrupted,
        "goes on where a KeyboardInterrupt is raised while it notifies queue.events; let it through, and end "
        "in `finally` what runs",
    )
    _require_ended(bench, mark, time.monotonic() - queue.at, "is interrupted")


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
