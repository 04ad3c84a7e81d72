"""The keeper of one cell: it forks the cell's process, holds it to its limits, and leaves nothing of it behind.

A warden is a process between the fork server and the cell, so that all that the cell starts has one ancestor of its
own: whatever loses its parent falls to the warden, which ends when nothing is left.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

from cfbench.execution.cell_process import run_cell
from cfbench.execution.events import heard, mention, tell
from cfbench.execution.printed_log import PrintedLog
from cfbench.execution.process_tree import (
    adopt_orphans,
    descendants,
    die_with_the_parent,
    kill_descendants,
    resident_bytes,
    unshared_bytes,
)
from cfbench.execution.task import Task

_LOOK = 0.05  # seconds between looks at memory and clock; a gigabyte takes longer to fill
_TELL = 1.0  # seconds between reports, and between looks for children of the cell
_BLOCK = 65536
_LONGEST_LINE = 4096  # of an event; longer ones are not ours
_TOLD = {"epoch", "phase"}

Verdict: TypeAlias = Literal["timeout", "out-of-memory", ""]


def guard(task: Task, events: int, server: int, home: Path) -> NoReturn:
    """Carry out ``task`` in a child of this freshly forked process, and end when nothing of it is left.

    What happens is written to the descriptor ``events``. Where the process ``server``, which forked this one, ends
    before the cell, the cell ends with everything that it has started. ``home`` is that process's home folder, of which
    the cell gets a copy.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, _leave)
        die_with_the_parent(server, by=signal.SIGTERM)
        adopt_orphans()
        _Watch.over(task, events, home).until_the_end()
        code = 0
    except BaseException as error:  # nothing may unwind into the server's own frames
        if not isinstance(error, SystemExit):
            traceback.print_exc()
    finally:
        with suppress(BaseException):
            kill_descendants(os.getpid())
        os._exit(code)


def _leave(number: int, _frame: object) -> None:
    """End this process in good order, once."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed since it started because memory ran out."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


@dataclass
class _Watch:
    """A running cell under watch.

    Attributes:
        task: what it does.
        events: the descriptor that its events are written to.
        pid: its process.
        output: the descriptor that its prints are read from.
        reports: the descriptor that its events are read from.
    """

    task: Task
    events: int
    pid: int
    output: int
    reports: int
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    peak: int = 0
    children: int = 0
    verdict: Verdict = ""
    partial: bytes = b""
    undelivered: str = ""
    ended: int | None = None
    killed_by_kernel: int = field(default_factory=_kernel_kills)

    @classmethod
    def over(cls, task: Task, events: int, home: Path) -> _Watch:
        """Fork the cell."""
        output, printed = os.pipe()
        reports, told = os.pipe()
        warden = os.getpid()
        pid = os.fork()
        if pid == 0:
            for descriptor in (output, reports, events):
                os.close(descriptor)
            run_cell(task, printed, told, warden, home)
        os.close(printed)
        os.close(told)
        for descriptor in (output, reports):
            os.set_blocking(descriptor, False)
        return cls(task, events, pid, output, reports)

    def until_the_end(self) -> None:
        """Hold the cell to its limits until it ends, end what it left running, and tell how it ended."""
        with PrintedLog(Path(self.task.log)) as log, selectors.DefaultSelector() as selector:
            selector.register(self.output, selectors.EVENT_READ, log.write)
            selector.register(self.reports, selectors.EVENT_READ, self._hear)
            end = _end_of(self.pid)
            if end is not None:
                selector.register(end, selectors.EVENT_READ, None)
            while (status := self._status()) is None:
                self._attend(selector)
            kill_descendants(os.getpid())
            for descriptor, take in ((self.output, log.write), (self.reports, self._hear)):
                _drain(descriptor, take)
        tell(
            self.events,
            self.task.name,
            event="exited",
            code=os.waitstatus_to_exitcode(status),
            verdict=self.verdict or self._kernels_verdict(status),
            undelivered=self.undelivered,
            peak=self.peak,
            seconds=time.monotonic() - self.began,
        )

    def _status(self) -> int | None:
        """Return how the cell's process ended, None while it runs; orphans that have ended are taken leave of."""
        with suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                if child[0] == self.pid:
                    self.ended = child[1]
        return self.ended

    def _attend(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(_LOOK):
            if key.data is not None and (data := _read(key.fd)) is not None:
                key.data(data)
                if not data:
                    selector.unregister(key.fd)
        self._look()

    def _look(self) -> None:
        """Measure, and end the cell where it is beyond a limit."""
        now = time.monotonic()
        if now - self.told >= _TELL:
            self.told = now
            self.children = unshared_bytes(descendants(self.pid))
            held = resident_bytes(self.pid) + self.children
            mention(self.events, self.task.name, event="usage", seconds=now - self.began, bytes=held)
        held = resident_bytes(self.pid) + self.children
        self.peak = max(self.peak, held)
        if self.task.timeout is not None and now - self.began > self.task.timeout:
            self._end("timeout")
        elif self.task.memory_limit is not None and held > self.task.memory_limit:
            self._end("out-of-memory")

    def _end(self, verdict: Verdict) -> None:
        if not self.verdict:
            self.verdict = verdict
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _hear(self, data: bytes) -> None:
        """Pass on the cell's events; whatever else a model wrote there is dropped."""
        *lines, self.partial = (self.partial + data).split(b"\n")
        self.partial = self.partial[:_LONGEST_LINE]
        for line in lines:
            event = heard(line[:_LONGEST_LINE]) or {"event": ""}
            if event["event"] in _TOLD:
                mention(self.events, **{**event, "task": self.task.name})
            elif event["event"] == "undelivered":
                self.undelivered = event["reason"]

    def _kernels_verdict(self, status: int) -> Verdict:
        """Whether it was the kernel that killed the cell, for want of memory."""
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return "out-of-memory" if killed and _kernel_kills() > self.killed_by_kernel else ""


def _end_of(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, None where the system has no such thing."""
    with suppress(AttributeError, OSError):  # not Linux, an old one, or a container that does not let it through
        return os.pidfd_open(pid)
    return None


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None


def _drain(descriptor: int, take: Callable[[bytes], None]) -> None:
    while data := _read(descriptor):
        take(data)
