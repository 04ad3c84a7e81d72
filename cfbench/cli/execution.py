"""Execution of a plan by the command line: shown while it runs, kept when it is interrupted."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from cfbench.cli.console import tell
from cfbench.cli.watching import RunMonitor
from cfbench.execution.contract import Executor
from cfbench.experiment.plan import Plan
from cfbench.monitoring.broadcast import Broadcast
from cfbench.records.record import Line, Record
from cfbench.records.store import RunFolder
from cfbench.runner.runner import Run, RunOptions


def execute(
    plan: Plan, folder: Path, executor: Executor, options: RunOptions, monitor: RunMonitor
) -> list[Line] | None:
    """Carry ``plan`` out in ``folder``; return all lines of its records, None where it was interrupted.

    Progress and the interrupt are reported to ``monitor``.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal closes; nohup asks to go on all the same
        signal.signal(signal.SIGHUP, _interrupt)
    # Tables are written with pandas and compared with scipy, whose imports take a second: it fits in while models run.
    threading.Thread(target=_import_ahead, daemon=True).start()
    with monitor.display(plan) as display:
        events = Broadcast((display, monitor.events))
        try:
            return Run(plan, RunFolder(folder), executor, events, options).execute()
        except KeyboardInterrupt:
            events.note(f"interrupted; finished cells are kept in {folder}, the same command goes on from there")
            return None


def _import_ahead() -> None:
    for module in ("pandas", "scipy.sparse", "scipy.stats"):
        importlib.import_module(module)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def verdict(records: Sequence[Record], report: Callable[[str], None] = tell) -> int:
    """Report every failure; return the exit code: 1 where there was any, or where nothing could be run, else 0.

    A model whose plugin is not installed is reported too, but it fails nothing where others ran.
    """
    missing = {one.cell.model: one.reason for one in records if not one.cell.installed}
    failed = [f"{one.status}: {one.cell}: {one.reason}" for one in records if one.cell.installed and one.status != "ok"]
    failed += [
        f"metric {name} failed on {one.cell}: {how}" for one in records for name, how in one.failed_metrics.items()
    ]
    for complaint in [*(f"skipped: {model} {reason}" for model, reason in missing.items()), *failed]:
        report(f"cfbench: {complaint}")
    nothing_ran = bool(records) and all(one.status != "ok" for one in records)
    return 1 if failed or nothing_ran else 0
