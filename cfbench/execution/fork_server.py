"""Fork server: the process that a plugin's cells are forked from, so that its heavy imports are paid once.

It is forked by the watchdog of the plugin's distribution, confined, and then imports the plugin: from there on it is
the plugin's process, and nothing that it says is believed unless the kernel confirms it. When it has imported and
warmed up, it does one thing: for each pair of descriptors that it is sent, it forks a cell, by a process between them
that ends at once, so that the cell becomes the watchdog's child. It learns nothing of the cells' tasks. While nothing
is asked of it, it is stopped.

The plugin's code is in every cell before that is confined, and can keep it from being so. Then a cell may what the fork
server may, and no more: it can write where cells of its distribution work, and signal the fork server. Hence all that a
cell could change there for the next one is looked at before that is forked.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cfbench.execution.cell_process import run_cell
from cfbench.execution.child_processes import close_all_but, count_below
from cfbench.execution.fit_and_predict import prepare
from cfbench.execution.fork_safety import hazard_of, state_at_rest
from cfbench.execution.held_memory import HeldMemory
from cfbench.execution.pipe_events import LONGEST_TEXT, event_line, parse_event
from cfbench.execution.process_tree import descendants, die_with_the_parent
from cfbench.execution.sandbox import confine, move_in
from cfbench.resources.energy import warm_up

_LONGEST_IMPORT, _SHORTEST_IMPORT = 60.0, 10.0  # seconds; limits of cells outside of these do not count for it
_DELIVERY = 10.0  # seconds that it may take to fork a cell
_GRACE = 0.5  # seconds in which it stops, or ends
_LOOK_AT_CHILDREN = 1.0  # seconds between looks at them
_BLOCK = 65536
_PAUSE = 0.0002  # seconds between looks whether the process between has ended
_TWO_DESCRIPTORS = struct.Struct("2i")


@dataclass(frozen=True)
class ImportRequest:
    """What a fork server is to import, and within which limits.

    Attributes:
        models: the classes, ``package.module:Class`` each.
        energy: whether the meter of energy is readied.
        timeout: seconds allowed to a cell, None for any.
        memory_limit: bytes allowed to a cell, None for any.
        max_processes: processes allowed to a cell.
        code: what the cells may read beside their own, the fields of ``ReadableCode``.
        writable: folders that the import, and cells that are not confined, may write to.
        readable: folders that they may read, beside code.
        network: whether it may use the network.
    """

    models: tuple[str, ...]
    energy: bool
    timeout: float | None
    memory_limit: int | None
    max_processes: int
    code: Mapping[str, Sequence[str]]
    writable: tuple[str, ...]
    readable: tuple[str, ...]
    network: bool


class ForkServer:
    """A fork server as its watchdog sees it.

    Attributes:
        pid: its process.
        channel: the descriptor that its events are read from.
        importing: the model that it imports now, empty where none.
        ready: whether it has imported everything, so that cells may be forked from it.
        idle: whether it waits to be asked for a cell, and holds nothing of the one before.
    """

    def __init__(self, request: ImportRequest, home: Path, imported: Path) -> None:
        """Start it; imports and warm-ups write to ``home``, which is ``imported`` when cells are forked."""
        self.importing, self.ready, self.idle = "", False, False
        self._request, self._partial = request, b""
        self._socket, theirs = socket.socketpair()
        watchdog = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            close_all_but(theirs.fileno())
            _serve(theirs, request, home, imported, watchdog)
        self._known = frozenset((f"socket:[{os.fstat(theirs.fileno()).st_ino}]",))
        theirs.close()
        self._socket.setblocking(False)
        self.channel = self._socket.fileno()
        self._began = self._looked = time.monotonic()
        self._memory, self._beside = HeldMemory(home), 0  # bytes that a glance at the process does not show
        self._asked = 0.0
        self._at_rest: tuple[str, ...] | None = None

    def receive(self) -> str:
        """Take what it says; return why cells must not be forked from it, empty where nothing speaks against it."""
        with suppress(OSError):
            if not (data := self._socket.recv(_BLOCK)):
                return "" if self._ends() else "closed its way to the watchdog"
            *lines, partial = (self._partial + data).split(b"\n")
            self._partial = partial[:_BLOCK]
            for event in filter(None, map(parse_event, lines)):
                if event["event"] == "importing" and event["name"] in self._request.models:
                    self.importing = event["name"]
                elif event["event"] == "prepared" and self.ready:
                    self.idle = True
                elif event["event"] == "prepared":
                    self.importing, self.ready = "", True
                    return self.rest()
        return ""

    def problem(self) -> str:
        """Return in which way it goes beyond its limits, empty where it does not; called often while it is busy."""
        now, request = time.monotonic(), self._request
        if self._asked and now - self._asked > _DELIVERY:
            return f"took longer than {_DELIVERY:g} s to start a cell"
        if self.ready:
            return ""
        patience = min(_LONGEST_IMPORT, max(_SHORTEST_IMPORT, request.timeout or _LONGEST_IMPORT))
        if now - self._began > patience:
            return f"took longer than {patience:g} s"
        seen = self._memory.glance(self.pid)
        if now - self._looked > _LOOK_AT_CHILDREN:
            self._looked = now
            self._beside = max(0, self._memory.total([self.pid, *descendants([self.pid])]) - seen)
            if count_below(self.pid, request.max_processes) > request.max_processes:
                return f"started more than {request.max_processes} processes"
        held, limit = seen + self._beside, request.memory_limit
        if limit is not None and held > limit:
            return f"held {held / 2**20:,.0f} MiB, more than the {limit / 2**20:,.0f} MiB allowed"
        return ""

    def fork_cell(self, ends: Sequence[int]) -> None:
        """Let it fork a cell, which gets the descriptors ``ends``."""
        self._asked, self.idle = time.monotonic(), False
        os.kill(self.pid, signal.SIGCONT)
        with suppress(OSError):  # it has died; that is noticed, or its time passes
            socket.send_fds(self._socket, [b"c"], list(ends))

    def rest(self) -> str:
        """Stop it until it is needed again; return why cells must not be forked from it, empty for no reason."""
        self._asked = 0.0
        os.kill(self.pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + _GRACE
            while (state := state_at_rest(self.pid)) is None and time.monotonic() < until:
                time.sleep(_PAUSE)
            self._at_rest = state
            problem = hazard_of(self.pid, self._known) if state is not None else "does not stop"
        except OSError as error:
            problem = f"cannot be looked at ({error.strerror})"
        return "" if problem and self._ends() else problem

    def disturbance(self) -> str:
        """Return what shows that a cell has reached it while it rested, empty where nothing does."""
        with suppress(OSError):
            if state_at_rest(self.pid) == self._at_rest and not self._socket.getpeername():
                return ""
        return "" if self._ends() else "was reached by one of its cells"

    def _ends(self) -> bool:
        """Whether it has ended, or does so soon: that is noticed, with the reason, and needs no other."""
        until = time.monotonic() + _GRACE
        while (ended := os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() > until:
                break
            time.sleep(_PAUSE)
        return ended is not None

    def close(self) -> None:
        """Close the way to it, which it knows nothing else to do without than to end."""
        self._socket.close()


def _serve(channel: socket.socket, request: ImportRequest, home: Path, imported: Path, watchdog: int) -> NoReturn:
    """Import what is requested, then fork cells until the watchdog ends."""
    # What is needed after the plugin was imported is bound before: a plugin may put anything in its place.
    fork, wait, leave, close, pid_of, parent_of, pause = (
        os.fork, os.waitpid, os._exit, os.close, os.getpid, os.getppid, time.sleep
    )  # fmt: skip
    code, send, done = request.code, channel.sendall, event_line(event="prepared")
    receive, unpack, run, number = channel.recvmsg, _TWO_DESCRIPTORS.unpack, run_cell, channel.fileno()
    room, close_on_exec = socket.CMSG_SPACE(_TWO_DESCRIPTORS.size), socket.MSG_CMSG_CLOEXEC
    try:
        _import_all(channel, request, home, watchdog)
        while True:
            data, ancillary, _, _ = receive(1, room, close_on_exec)
            if not data:
                break
            output, control = unpack(ancillary[0][2])
            if (between := fork()) == 0:
                middle = pid_of()
                if fork():
                    leave(0)
                close(number)
                while parent_of() == middle:
                    pause(_PAUSE)
                run(output, control, imported, code, watchdog)
            wait(between, 0)
            close(output)
            close(control)
            send(done)
    except BaseException:
        traceback.print_exc()
    finally:
        leave(1)


def _import_all(channel: socket.socket, request: ImportRequest, home: Path, watchdog: int) -> None:
    """Confine this process, import the models and warm them up, and say so."""
    send, flushes, redirect = channel.sendall, (sys.stdout.flush, sys.stderr.flush), os.dup2
    fork, leave, wait, threads = os.fork, os._exit, os.waitpid, os.listdir
    steps = [(model, event_line(event="importing", name=model[:LONGEST_TEXT])) for model in request.models]
    done = event_line(event="prepared")
    os.setsid()
    signal.signal(signal.SIGCONT, signal.SIG_DFL)  # the watchdog has a handler of its own
    die_with_the_parent(watchdog)
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)  # which takes the lowest free number
    move_in(home)
    code, readable = request.code, (*request.code["readable"], *request.readable)
    confine(request.writable, readable, listed=code["listed"], network=request.network)
    gc.disable()
    for model, step in steps:
        send(step)
        try:
            prepare(model, model)
        except BaseException:  # it fails again, and is reported, in the cell; no interrupt of the user's comes here
            traceback.print_exc()
    if request.energy:
        warm_up()
    for flush in flushes:  # what is printed must not be printed by every fork again
        with suppress(Exception):
            flush()
    gc.freeze()  # what libraries consist of is no garbage: cells neither search it nor copy its pages for that
    gc.enable()
    for descriptor in (1, 2):  # the log would be shared by all forks; what is printed from here on is lost
        redirect(0, descriptor)
    if len(threads("/proc/self/task")) > 1:  # pools of linear algebra end when a process forks
        if (child := fork()) == 0:
            leave(0)
        wait(child, 0)
    send(done)
