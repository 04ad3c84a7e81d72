"""Process of one cell, from its fork to its end: its surroundings, its work, the outcome that it writes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_writer import write_outcome
from cfbench.execution.pipe_events import LONGEST_TEXT, event_line
from cfbench.execution.private_home import move_into_copy
from cfbench.execution.process_tree import die_with_the_parent
from cfbench.execution.sandbox import confine
from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport

_FIRST_TO_GO = "1000"  # the kernel's scale of what to kill when memory runs out: 1000 is first
_BETWEEN_PHASES = 0.1  # seconds; a model that is queried in many small chunks changes its phase all the time


def run_cell(task: Task, output: int, reports: int, watchdog: int, home: Path) -> NoReturn:
    """Carry out ``task`` in this freshly forked process, and end it.

    Args:
        task: the task.
        output: the descriptor that takes what is printed.
        reports: the descriptor that takes events, as JSON lines.
        watchdog: the process that forked this one, which ends with it.
        home: the home of the libraries' imports, which is copied for this cell and not written to by it.
    """
    code = 1
    try:
        os.setsid()
        die_with_the_parent(watchdog)
        _settle(task, output, home)
        reporter = _Reporter(reports)
        outcome = perform(task, reporter.epoch, reporter.phase)
        try:
            reporter.phase("write")
            write_outcome(outcome)
            code = 0
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename or task.folder})"
            reporter.send(event="unwritten", reason=reason[:LONGEST_TEXT])
            raise
    except BaseException:  # nothing may unwind into the frames of the process that forked this one
        traceback.print_exc()
    finally:
        with suppress(Exception):  # a model may have put anything in their place
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _settle(task: Task, output: int, home: Path) -> None:
    """Give this process its own output, folders and home, and take from it what is not its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the watchdog has a handler of its own
    os.dup2(output, 1)
    os.dup2(output, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    scratch = Path(task.folder) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)  # temporary files end with the cell, too
    move_into_copy(home, Path(task.folder) / "home")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    confine([home, *map(Path, task.protected)], [Path(task.folder)])


class _Reporter:
    """Reports the progress of the work to the watchdog."""

    def __init__(self, reports: int) -> None:
        self._reports = reports
        self._last = 0.0
        self._seen: set[str] = set()

    def epoch(self, report: EpochReport) -> None:
        self.send(event="epoch", **asdict(report))

    def phase(self, name: str) -> None:
        now = time.monotonic()
        if name not in self._seen or now - self._last >= _BETWEEN_PHASES:
            self._seen.add(name)
            self._last = now
            self.send(event="phase", name=name)

    def send(self, **event: object) -> None:
        with suppress(OSError):  # a model may have closed what is not its own; its answers count all the same
            os.write(self._reports, event_line(**event))
