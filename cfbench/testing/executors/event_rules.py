"""Rules on failures, progress and logs: what is told of a task."""

from __future__ import annotations

from pathlib import Path

from cfbench.model.protocols import EpochReport
from cfbench.testing.executors.recording_queue import RecordingQueue
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

_WORDS = "as it were,"
_EPOCHS, _PAUSE = 4, 0.25  # seconds; executors may leave out what comes in quick succession


def _keeps_failures_apart(bench: Bench) -> None:
    failing = {"words": _WORDS, "fails": True}
    tasks = [bench.task("before", "Mean"), bench.task("it", "Talker", params=failing), bench.task("after", "Mean")]
    before, it, after = bench.outcomes(tasks)
    bench.require(
        it.status == "failed" and f"{_WORDS} as the reason" in it.reason,
        f"makes of a model that raises RuntimeError('{_WORDS} as the reason') the outcome {it.status!r}: {it.reason!r}"
        "; it is 'failed', and the reason has the model's words",
    )
    bench.require(
        (before.status, after.status) == ("ok", "ok"),
        f"makes of the tasks beside one that fails {before.status!r} and {after.status!r}: {before.reason} "
        f"{after.reason}; a failure loses its own task only",
    )


def _tells_of_progress(bench: Bench) -> None:
    queue = RecordingQueue()
    bench.outcomes([bench.task("slow", "Reporter", params={"epochs": _EPOCHS, "pause": _PAUSE})], queue)
    bench.require(
        "fit" in queue.told("cell_phase", "slow"),
        f"notifies queue.events of the phases {queue.told('cell_phase', 'slow')}; call "
        "queue.events.cell_phase when perform announces one",
    )
    reports = queue.told("cell_epoch", "slow")
    possible = [EpochReport(epoch, _EPOCHS, 1 / epoch) for epoch in range(1, _EPOCHS + 1)]
    bench.require(
        reports and all(report in possible for report in reports),
        f"notifies queue.events of the epochs {reports}, the model has reported {possible}; call "
        "queue.events.cell_epoch with the latest report, several times a second at most where the way is long",
    )


def _keeps_logs(bench: Bench) -> None:
    tasks = [
        bench.task(name, "Talker", params={"words": _WORDS, "fails": name == "failing"})
        for name in ("quiet", "failing")
    ]
    for task, outcome in zip(tasks, bench.outcomes(tasks), strict=True):
        log = Path(task.log)
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        missing = [f"{_WORDS} {end}" for end in ("out", "err", "library") if f"{_WORDS} {end}" not in text]
        bench.require(
            not missing,
            f"leaves in task.log {text!r:.300}; what the model prints by sys.stdout, sys.stderr or descriptor 1 "
            f"belongs there, {missing} is missing",
        )
        bench.require(
            outcome.status == "ok" or f"{_WORDS} as the reason" in outcome.log_tail,
            f"gives of a model that failed the log_tail {outcome.log_tail!r}; it is the end of task.log, the traceback "
            "included: see cfbench.execution.printed_log.tail_of",
        )


RULES = (
    ExecutorRule("a model's failure is told in its words, and costs no other task", _keeps_failures_apart),
    ExecutorRule("phases and epochs are passed to the queue's events", _tells_of_progress),
    ExecutorRule("what a model prints is in its log, the end of it in the outcome of a failure", _keeps_logs),
)
