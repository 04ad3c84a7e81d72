"""Processes of one cell: the one that does its work, and its watchdog, which enforces limits and leaves nothing behind.

A watchdog is a process between the fork server and the cell, so that all that the cell starts has one ancestor of its
own: whatever loses its parent is adopted by the watchdog, which ends when nothing is left.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal, NoReturn

from cfbench.execution.contract import Task
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_file import write_outcome
from cfbench.execution.pipe_events import LONGEST_TEXT, event_line, parse_event, send, send_if_room
from cfbench.execution.process_tree import adopt_orphans, descendants, die_with_the_parent, held_bytes, kill_descendants
from cfbench.execution.sandbox import confine, move_into_copy
from cfbench.model.protocols import EpochReport

_LOOK = 0.05  # seconds between looks at memory and clock; a gigabyte takes longer to fill
_REPORT = 1.0  # seconds between reports of usage and looks for children: these read the status of every process
_BLOCK = 65536
_LONGEST_LINE = 4096  # of an event; longer lines are a model's own writing, see ``pipe_events.LONGEST_TEXT``

_HEAD, _TAIL = 4 << 20, 64 << 10  # bytes of a log
_FIRST_TO_GO = "1000"  # the kernel's scale of what to kill when memory runs out: 1000 is first
_BETWEEN_PHASES = 0.1  # seconds; a model that is queried in many small chunks changes its phase all the time


def guard(task: Task, events: int, server: int, home: Path, code: Mapping[str, list[str]]) -> NoReturn:
    """Carry out ``task`` in a child of this freshly forked process, and end when nothing of it is left.

    Events are written to the descriptor ``events``. Where the process ``server``, which forked this one, ends before
    the cell, the cell ends with everything that it has started. ``home`` is that process's home folder, of which the
    cell gets a copy, and ``code``, the fields of ``ReadableCode``, what it may read beside its own.
    """
    exit_code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, _leave)
        die_with_the_parent(server, by=signal.SIGTERM)
        adopt_orphans()
        _Watchdog(task, events, home, code).watch()
        exit_code = 0
    except BaseException as error:  # nothing may unwind into the server's own frames
        if not isinstance(error, SystemExit):
            traceback.print_exc()
    finally:
        with suppress(BaseException):
            kill_descendants(os.getpid())
        os._exit(exit_code)


def _leave(number: int, _frame: object) -> None:
    """End this process in good order, once."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit


class _Watchdog:
    """A running cell under watch."""

    def __init__(self, task: Task, events: int, home: Path, code: Mapping[str, list[str]]) -> None:
        """Fork the cell."""
        self._task, self._events = task, events
        self._killed_by_kernel = _kernel_kills()
        self._output, output = os.pipe()
        self._reports, reports = os.pipe()
        watchdog = os.getpid()
        self._cell = os.fork()
        if self._cell == 0:
            for descriptor in (self._output, self._reports, events):
                os.close(descriptor)
            run_cell(task, output, reports, watchdog, home, code)
        os.close(output)
        os.close(reports)
        for descriptor in (self._output, self._reports):
            os.set_blocking(descriptor, False)
        self._began = self._reported = time.monotonic()
        self._children_bytes = self._peak = 0
        self._exceeded: Literal["timeout", "out-of-memory", ""] = ""
        self._partial, self._unwritten = b"", ""

    def watch(self) -> None:
        """Enforce the cell's limits until it ends, end what it left running, and report how it ended."""
        with closing(PrintedLog(Path(self._task.log))) as log, selectors.DefaultSelector() as selector:
            takers = {self._output: log.write, self._reports: self._pass_on}
            for descriptor in (*takers, end_of(self._cell)):
                if descriptor is not None:
                    selector.register(descriptor, selectors.EVENT_READ, takers.get(descriptor))
            while (status := self._reap()) is None:
                for key, _ in selector.select(_LOOK):
                    if key.data is not None and (data := _read(key.fd)) is not None:
                        key.data(data)
                        if not data:
                            selector.unregister(key.fd)
                self._check_limits()
            kill_descendants(os.getpid())
            for descriptor, take in takers.items():
                while data := _read(descriptor):
                    take(data)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and not self._exceeded:
            self._exceeded = "out-of-memory" if _kernel_kills() > self._killed_by_kernel else ""
        how = {"code": os.waitstatus_to_exitcode(status), "exceeded": self._exceeded, "unwritten": self._unwritten}
        seconds = time.monotonic() - self._began
        send(self._events, self._task.name, event="exited", **how, peak=self._peak, seconds=seconds)

    def _reap(self) -> int | None:
        """Return how the cell's process ended, None while it runs; adopted processes that have ended are reaped."""
        ended = None
        with suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                if child[0] == self._cell:
                    ended = child[1]
        return ended

    def _check_limits(self) -> None:
        """Measure the cell, report its usage now and then, and end it where it is beyond a limit."""
        now, task = time.monotonic(), self._task
        report = now - self._reported >= _REPORT
        if report:
            self._reported = now
            self._children_bytes = sum(held_bytes(pid, shared=False) for pid in descendants([self._cell]))
        held = held_bytes(self._cell) + self._children_bytes
        self._peak = max(self._peak, held)
        if report:
            send_if_room(self._events, task.name, event="usage", seconds=now - self._began, bytes=held)
        if self._exceeded:
            return
        if task.timeout is not None and now - self._began > task.timeout:
            self._exceeded = "timeout"
        elif task.memory_limit is not None and held > task.memory_limit:
            self._exceeded = "out-of-memory"
        if self._exceeded:
            os.kill(self._cell, signal.SIGKILL)  # it has not been reaped: its number is still its own

    def _pass_on(self, data: bytes) -> None:
        """Pass on the cell's events; whatever else a model wrote there is dropped."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[:_LONGEST_LINE]
        for line in lines:
            event = parse_event(line[:_LONGEST_LINE]) or {"event": ""}
            if event["event"] in ("epoch", "phase"):
                send_if_room(self._events, **{**event, "task": self._task.name})
            elif event["event"] == "unwritten":
                self._unwritten = event["reason"]


class PrintedLog:
    """A log file that takes the first 4 MiB and the last 64 KiB of what is written to it, while the disk has room."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending."""
        self._file = path.open("ab", buffering=0)
        self._room = _HEAD - self._file.tell()
        self._tail = b""
        self._left_out = 0

    def close(self) -> None:
        """Write the last of it, and close the file."""
        if self._left_out:
            self._put(f"\n[... {self._left_out} bytes are left out here ...]\n".encode())
        self._put(self._tail)
        self._file.close()

    def write(self, data: bytes) -> None:
        """Take printed bytes; they are in the file at once while there is room."""
        head, rest = data[: max(0, self._room)], data[max(0, self._room) :]
        self._room -= len(head)
        self._put(head)
        rest = self._tail + rest
        self._tail = rest[-_TAIL:]
        self._left_out += len(rest) - len(self._tail)

    def _put(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk costs the log, not the cell
            self._file.write(data)


def end_of(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, None where the system has no such thing."""
    with suppress(AttributeError, OSError):  # not Linux, an old one, or a container that does not let it through
        return os.pidfd_open(pid)
    return None


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed since it started because memory ran out."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def run_cell(
    task: Task, output: int, reports: int, watchdog: int, home: Path, code: Mapping[str, list[str]]
) -> NoReturn:
    """Carry out ``task`` in this freshly forked process, and end it.

    Args:
        task: the task.
        output: the descriptor that takes what is printed.
        reports: the descriptor that takes events, as JSON lines.
        watchdog: the process that forked this one, which ends with it.
        home: the home of the libraries' imports, which is copied for this cell and not written to by it.
        code: what it may read beside its own, the fields of ``ReadableCode``.
    """
    exit_code = 1
    try:
        os.setsid()
        die_with_the_parent(watchdog)
        _settle(task, output, home, code)
        reporter = _Reporter(reports)
        outcome = perform(task, reporter.epoch, reporter.phase)
        try:
            reporter.phase("write")
            write_outcome(outcome)
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


def _settle(task: Task, output: int, home: Path, code: Mapping[str, list[str]]) -> None:
    """Give this process its own output, folders and home, and take from it what is not its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the watchdog has a handler of its own
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)  # which takes the lowest free number
    scratch = Path(task.folder) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)  # temporary files end with the cell, too
    move_into_copy(home, Path(task.folder) / "home")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, "ascii")
    if code:
        readable = [*code["readable"], task.inputs]
        confine([task.folder], readable, listed=code["listed"], network=task.network)


class _Reporter:
    """Sender of the progress of the work to the watchdog."""

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
