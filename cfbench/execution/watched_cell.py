"""Cell under watch: its pipes, its log and its use of resources, as its watchdog sees them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from cfbench.execution.child_processes import count_below
from cfbench.execution.contract import Task
from cfbench.execution.held_memory import HeldMemory
from cfbench.execution.outcome_file import digests_of, seal_of
from cfbench.execution.pairs_handover import Lists, send_inputs
from cfbench.execution.pipe_events import LONGEST_TEXT, EventRate, parse_event
from cfbench.execution.printed_log import PrintedLog
from cfbench.execution.process_tree import descendants

_REPORT = 1.0  # seconds between reports of usage and looks for children: these read the status of every process
_LEAST_ROOM = 64 << 20  # bytes between the limit that is kept here and the kernel's
_BLOCK = 65536
_LONGEST_LINE = 4096  # of an event; longer lines are a model's own writing, see ``pipe_events.LONGEST_TEXT``
_FIRST_TO_GO = "1000"  # the kernel's scale of what to kill when memory runs out: 1000 is first
_FROM_CELLS = ("epoch", "phase")  # what a cell may report of itself, and the run is told


class WatchedCell:
    """A cell under watch.

    Attributes:
        task: its task.
        pid: its process, 0 until that is known.
        output: the descriptor that what it prints is read from.
        control: the descriptor that its events are read from, and its task is written to.
        place: the folder that it works in, which becomes the task's when it has ended.
        ends: the other ends of these two, which the cell gets.
        limited_by: what keeps its limits, beside the looks of its watchdog.
    """

    def __init__(self, task: Task, tell: Callable[..., None], at_work: Path) -> None:
        """Open the pipes and the log, and make its place in the folder ``at_work``.

        ``tell`` takes events of the cell's progress, as keyword arguments.
        """
        self.task, self.pid, self._tell = task, 0, tell
        self.place = at_work / secrets.token_hex(8)
        self.place.mkdir()
        self.output, output = os.pipe()
        here, there = socket.socketpair()
        self.control = here.detach()
        self.ends: tuple[int, ...] = (output, there.detach())
        for descriptor in (self.output, self.control):
            os.set_blocking(descriptor, False)
        self._folder = os.lstat(self.place)
        self._log = PrintedLog(Path(task.log))
        self._killed_by_kernel = _kernel_kills()
        self._began = self._reported = time.monotonic()
        self._memory = HeldMemory(self.place)
        self._beside = self._peak = self._processes = 0  # bytes: those that a glance at the process does not show
        self._exceeded: Literal["timeout", "out-of-memory", "processes", ""] = ""
        self._partial = self._unsent = b""
        self._unwritten, self._rate, self._loads = "", EventRate(), False
        self._known = replace(task, folder=str(self.place))  # as the cell knows it
        self._lists = Lists(self._known)
        self.limited_by = "watchdog"

    def give_away(self) -> None:
        """Close the ends that a process has inherited or was sent."""
        for descriptor in self.ends:
            os.close(descriptor)
        self.ends = ()

    def begin(self, pid: int) -> None:
        """Start the clock: the cell is the process ``pid``, which now gets its task."""
        self.pid = pid
        self._began = self._reported = time.monotonic()
        self._unsent = json.dumps(vars(self._known)).encode() + b"\n"
        with suppress(OSError):  # another system
            Path(f"/proc/{pid}/oom_score_adj").write_text(_FIRST_TO_GO, "ascii")
        self._send()

    def read_output(self) -> bytes | None:
        """Take what it has printed, and return it; empty at the end, None where there is nothing yet."""
        data = _read(self.output)
        self._log.write(data or b"")
        return data

    def read_events(self) -> bytes | None:
        """Take its events, and return what was read, as above; what else a model wrote there is dropped."""
        if not (data := _read(self.control)):
            return data
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[:_LONGEST_LINE]
        for line in lines:
            self._take(parse_event(line[:_LONGEST_LINE]) or {"event": ""})
        return data

    def claimed_pid(self) -> int:
        """Return which process says that it is the cell, 0 where none has yet, -1 where none will."""
        if (data := _read(self.control)) is None:
            return 0
        event = parse_event(data.partition(b"\n")[0]) or {}
        return int(event.get("pid", -1))

    def check_limits(self, *, crowded: bool) -> None:
        """Measure the cell, report its usage now and then, and kill it where it is beyond a limit.

        Where the machine is ``crowded`` with new processes, they are counted at once.
        """
        self._send()
        now, task = time.monotonic(), self.task
        report = now - self._reported >= _REPORT
        if report or crowded:
            self._processes = count_below(self.pid, task.max_processes)
        seen = self._memory.glance(self.pid)
        if report:
            self._reported = now
            self._beside = max(0, self._memory.total([self.pid, *descendants([self.pid])]) - seen)
        held = seen + self._beside
        self._peak = max(self._peak, held)
        if report:
            self._tell(event="usage", task=task.name, seconds=now - self._began, bytes=held)
        if self._exceeded:
            return
        if task.timeout is not None and now - self._began > task.timeout:
            self._exceeded = "timeout"
        elif task.memory_limit is not None and held > task.memory_limit:
            self._exceeded = "out-of-memory"
        elif self._processes > task.max_processes:
            self._exceeded = "processes"
        if self._exceeded:
            os.kill(self.pid, signal.SIGKILL)  # it has not been reaped: its number is still its own

    @property
    def kernels_limit(self) -> int | None:
        """Bytes beyond which the kernel ends it, where it can; None for no limit."""
        limit = self.task.memory_limit
        return None if limit is None else limit + max(limit // 4, _LEAST_ROOM)

    def conclude(self, status: int, *, beyond_kernels_limit: bool) -> dict[str, Any]:
        """Return how it ended, when all that it has started is dead; what it leaves moves to its task's folder, sealed.

        ``status`` is what the system says of the end of its process.
        """
        if beyond_kernels_limit:  # the kernel may have ended a child of it alone
            self._exceeded = self._exceeded or "out-of-memory"
            self._peak = max(self._peak, self.kernels_limit or 0)
        for read in (self.read_output, self.read_events):
            while read():
                pass
        self.close()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if killed and not self._exceeded and self.limited_by == "watchdog":  # nobody counts for this cell alone
            self._exceeded = "out-of-memory" if _kernel_kills() > self._killed_by_kernel else ""
        digests: dict[str, str] = {}
        try:
            if os.path.samestat(self._folder, os.lstat(self.place)):
                self.place.rename(self.task.folder)  # an empty folder, out of reach for other cells
                digests = digests_of(self.task)
        except OSError as error:
            self._unwritten = self._unwritten or f"{error.strerror or error} ({self.task.folder})"[:LONGEST_TEXT]
        how = {"code": os.waitstatus_to_exitcode(status), "exceeded": self._exceeded, "unwritten": self._unwritten}
        how |= {"relisted": self._lists.differ_from(digests), "seal": seal_of(digests)}
        return {"event": "exited", **how, "peak": self._peak, "seconds": time.monotonic() - self._began}

    def close(self) -> None:
        """Close its pipes and its log."""
        self._log.close()
        self.give_away()
        for descriptor in (self.output, self.control):
            os.close(descriptor)

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] in _FROM_CELLS and self._rate.allows():
            self._tell(**{**event, "task": self.task.name})
        elif event["event"] == "load" and not self._loads:
            self._loads = True
            send_inputs(self.task, self.control)
        elif event["event"] == "ranked":
            self._lists.hand_over(self.control, cold=event["cold"])
        elif event["event"] == "unwritten":
            self._unwritten = event["reason"]

    def _send(self) -> None:
        """Send what is left of the task, as far as there is room."""
        while self._unsent:
            try:
                self._unsent = self._unsent[os.write(self.control, self._unsent) :]
            except OSError as error:  # it has no room, or the cell has closed what it had, or has gone
                if not isinstance(error, BlockingIOError):
                    self._unsent = b""
                return


def _read(descriptor: int) -> bytes | None:
    """Return what there is to read, empty at the end, None where there is nothing yet."""
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
    except ConnectionResetError:  # a socket whose other end went with something unread
        return b""


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed since it started because memory ran out."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
