"""Process of one cell: it is settled in what is its own, told its task, and does the work.

It comes from a fork server, by a process between them that ends at once, or straight from the watchdog. Either way its
parent is the watchdog, which begins its clock when it lets it go on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cfbench.execution.contract import Task
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_file import write_outcome
from cfbench.execution.pairs_handover import await_inputs, await_pairs, out_of_the_way
from cfbench.execution.pipe_events import LONGEST_TEXT, event_line
from cfbench.execution.process_tree import adopt_orphans, die_with_the_parent
from cfbench.execution.sandbox import confine, move_into_copy
from cfbench.model.protocols import EpochReport

_BETWEEN_PHASES = 0.1  # seconds; a model that is queried in many small chunks changes its phase all the time


def run_cell(output: int, control: int, home: Path, code: Mapping[str, Sequence[str]], watchdog: int) -> NoReturn:
    """Carry out a task in this freshly forked process, a child of the watchdog, and end it.

    Args:
        output: the descriptor that takes what is printed.
        control: the descriptor that brings the task, as a JSON line, and takes events, as JSON lines.
        home: the home of the libraries' imports, which is copied for this cell and not written to by it.
        code: what it may read beside its own, the fields of ``ReadableCode``.
        watchdog: the process that watches this one.
    """
    exit_code = 1
    try:
        os.setsid()
        adopt_orphans()  # so that what it starts stays below it, where it is counted
        die_with_the_parent(watchdog)
        reporter = _Reporter(control)
        reporter.send(event="began", pid=os.getpid())
        task = _awaited_task(control)
        held = _settle(task, output, home, code)
        apart = out_of_the_way(control)
        written: list[str] = []  # what was handed over must not be written again: embeddings can be large

        def hand_over(ranked: Mapping[str, NDArray[Any]], cold: bool) -> NDArray[np.int32]:
            written.extend(ranked)
            return await_pairs(task, apart, ranked, cold)

        outcome = perform(task, reporter.epoch, reporter.phase, partial(await_inputs, apart), hand_over, held)
        try:
            reporter.phase("write")
            write_outcome(outcome, written)
            exit_code = 0
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
        os._exit(exit_code)


def _awaited_task(control: int) -> Task:
    """Wait for the watchdog to know this process; return the task that it then sends."""
    line = b""
    while not line.endswith(b"\n"):
        if not (data := os.read(control, 65536)):
            raise EOFError("the watchdog has gone")
        line += data
    return Task.of(json.loads(line))


def _settle(task: Task, output: int, home: Path, code: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Give this process its own output, folders and home; take from it what is not its own, and return what holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for one in (signal.SIGTERM, signal.SIGCONT):  # the watchdog has handlers of its own
        signal.signal(one, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)  # which takes the lowest free number
    scratch = Path(task.folder) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)  # temporary files end with the cell, too
    move_into_copy(home, Path(task.folder) / "home")
    return confine([task.folder], code["readable"], listed=code["listed"], network=task.network)


class _Reporter:
    """Sender of the progress of the work to the watchdog."""

    def __init__(self, control: int) -> None:
        self._control = control
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
            os.write(self._control, event_line(**event))
