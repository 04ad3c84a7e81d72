"""The process of one cell, from its fork to its end: what it may touch, where it prints, what it hands over."""

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

from cfbench.execution.events import LONGEST_TEXT, line_of
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_writer import deliver
from cfbench.execution.private_home import move_into_copy
from cfbench.execution.process_tree import die_with_the_parent
from cfbench.execution.sandbox import confine
from cfbench.execution.task import Task, home_of, scratch_of
from cfbench.model.protocols import EpochReport

_FIRST_TO_GO = "1000"  # the kernel's scale of what to kill when memory runs out: 1000 is first
_BETWEEN_PHASES = 0.1  # seconds; a model that is asked in many small chunks changes its phase all the time


def run_cell(task: Task, output: int, reports: int, warden: int, home: Path) -> NoReturn:
    """Carry out ``task`` in this freshly forked process, and end it.

    Args:
        task: what to do.
        output: the descriptor that takes what is printed.
        reports: the descriptor that takes events, as JSON lines.
        warden: the process that forked this one, which ends with it.
        home: the home of the libraries' imports, which is copied for this cell and not written to by it.
    """
    code = 1
    try:
        os.setsid()
        die_with_the_parent(warden)
        _redirect(output)
        _move_into_scratch(task)
        move_into_copy(home, home_of(task))
        _give_way_to_others()
        confine([home, *(Path(path) for path in task.protected)], [Path(task.output)])
        teller = _Teller(reports)
        outcome = perform(task, teller.epoch, teller.phase)
        try:
            teller.phase("write")
            deliver(outcome)
            code = 0
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename or task.output})"
            teller.tell(event="undelivered", reason=reason[:LONGEST_TEXT])
            raise
    except BaseException:  # nothing may unwind into the frames of the process that forked this one
        traceback.print_exc()
    finally:
        with suppress(Exception):  # a model may have put anything in their place
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class _Teller:
    """Tells the warden how the work goes on."""

    def __init__(self, reports: int) -> None:
        self._reports = reports
        self._last = 0.0
        self._told: set[str] = set()

    def epoch(self, report: EpochReport) -> None:
        self.tell(event="epoch", **asdict(report))

    def phase(self, name: str) -> None:
        now = time.monotonic()
        if name not in self._told or now - self._last >= _BETWEEN_PHASES:
            self._told.add(name)
            self._last = now
            self.tell(event="phase", name=name)

    def tell(self, **event: object) -> None:
        with suppress(OSError):  # a model may have closed what is not its own; its answers count all the same
            os.write(self._reports, line_of(**event))


def _redirect(output: int) -> None:
    """Send what the model prints to ``output``, and give it no input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # to the warden it means something of its own
    os.dup2(output, 1)
    os.dup2(output, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _move_into_scratch(task: Task) -> None:
    """Work, and leave temporary files, where they end with the cell."""
    scratch = scratch_of(task)
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)


def _give_way_to_others() -> None:
    """Let the kernel end this process before any other where the machine's memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
