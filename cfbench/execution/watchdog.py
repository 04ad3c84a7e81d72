"""Watchdog: the process above all cells of one plugin distribution, in which no code of a plugin ever runs.

``python -m cfbench.execution.watchdog EVENTS_FD PLACE HOME`` reads requests as JSON lines from standard input and
writes events as JSON lines to the inherited descriptor:

* ``{"code": {...}}``: the fields of ``ReadableCode``, what cells may read beside their own; the first request.
* ``{"prepare": {...}}``: an :class:`~cfbench.execution.fork_server.ImportRequest`; a fork server imports the models
  ahead of their cells, and ``prepared`` is the answer when it has, or could not.
* ``{"run": TASK}``: carry a task out, by a fork of the fork server or, where none was asked for, or it is unfit, by a
  fork of this very process, which imports the plugin itself.

Limits are kept here: time, memory and number of processes of cells and of the import. The parent of every cell is this
process, which adopts whatever loses its own; a child that it does not know is killed. When a cell ends, all that it has
started is killed before its answers are sealed and its end is told. End of input ends this process and all below it.

A keeper above it, of the same program, does nothing but end what is left where the watchdog is killed.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from cfbench.execution.cell_process import run_cell
from cfbench.execution.child_processes import children_of, close_all_but, end_children_but
from cfbench.execution.contract import Task
from cfbench.execution.fork_server import ForkServer, ImportRequest
from cfbench.execution.import_home import ImportHome
from cfbench.execution.pipe_events import LONGEST_TEXT, event_line, send_if_room
from cfbench.execution.process_tree import adopt_orphans, die_with_the_parent, how_ended, kill_descendants
from cfbench.execution.sandbox import protections
from cfbench.execution.watched_cell import WatchedCell
from cfbench.resources.cgroups import ControlGroups

_LOOK, _LOOK_IDLE = 0.05, 1.0  # seconds between looks at memory and clock; a gigabyte takes longer to fill
_CROWD = 100  # processes that the machine gained since the last look: then it is looked who started them
_ROOM_FOR_PROCESSES = 4  # the kernel counts threads, too
_STDIN = 0  # read unbuffered: lines waiting in a Python buffer would be invisible to select
_BLOCK = 65536


def main(events: int, place: Path, home: Path) -> NoReturn:
    """Start the watchdog under a keeper, and end as it ends."""
    code = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides what an interrupt means
    signal.signal(signal.SIGTERM, _leave)
    for stream in (sys.stdout, sys.stderr):  # so that the log of a cell that crashes has all that it printed
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    adopt_orphans()
    _leave_with(os.getppid())
    keeper = os.getpid()
    try:
        if (watchdog := os.fork()) == 0:
            adopt_orphans()
            _leave_with(keeper)
            Watchdog(events, place, home).watch()
            code = 0
        else:
            os.close(events)
            code = os.waitstatus_to_exitcode(os.waitpid(watchdog, 0)[1])
    except BaseException as error:  # nothing may unwind from here: buffers and hooks are not this process's to run
        if not isinstance(error, SystemExit):
            traceback.print_exc()
    finally:
        with suppress(BaseException):
            kill_descendants(os.getpid())
        if code < 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


def _leave(*_: object) -> NoReturn:
    """End this process in good order, once."""
    for one in (signal.SIGTERM, signal.SIGCONT):
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit


def _leave_with(parent: int) -> None:
    """End this process in good order when its parent has gone, by the one signal that it hears where it is stopped."""

    def look(*_: object) -> None:
        if os.getppid() != parent:
            _leave()

    signal.signal(signal.SIGCONT, look)
    die_with_the_parent(parent, by=signal.SIGCONT)


class Watchdog:
    """The watchdog of one plugin distribution."""

    def __init__(self, events: int, place: Path, home: Path) -> None:
        """Write events to the descriptor ``events``.

        Args:
            events: the descriptor.
            place: an empty folder, for cells and imports to work in.
            home: the persistent home of the distribution's imports.
        """
        os.set_inheritable(events, False)
        os.set_blocking(events, False)
        self._events, self._place, self._home = events, place, ImportHome(place, home)
        self._renew_at_work()
        self._outbox = deque[bytes]()  # what must be told; progress is dropped while something waits
        self._partial = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(_STDIN, selectors.EVENT_READ, self._read_requests)
        self._server: ForkServer | None = None
        self._models: tuple[str, ...] = ()
        self._code: dict[str, list[str]] = {}  # what cells may read beside their own
        self._unfit = sys.platform != "linux"  # elsewhere nobody adopts the cells of a fork server
        self._waiting = deque[Task]()
        self._arriving: WatchedCell | None = None  # the fork server was asked for it
        self._cells: dict[int, WatchedCell] = {}
        self._ends: dict[int, int] = {}  # descriptors that tell of their ends
        self._ended: list[tuple[WatchedCell, int]] = []
        self._open = True
        self._groups = ControlGroups.make()
        self._population = _population()

    def watch(self) -> None:
        """Serve until there is no more input, then end what is left."""
        try:
            self._serve()
        finally:
            end_children_but(())
            if self._groups is not None:
                self._groups.shut()

    def _serve(self) -> None:
        while self._open:
            busy = self._cells or self._ended or self._waiting or self._outbox or self._is_importing()
            for key, _ in self._selector.select(_LOOK if busy else _LOOK_IDLE):
                key.data()
            self._look_at_the_server()
            self._look_at_cells()
            if self._arriving is None:  # a child that is not known may be the one that is waited for
                known = {*self._cells, *((self._server.pid,) if self._server else ())}
                if self._ended or children_of(os.getpid()) - known:
                    end_children_but(known)
                self._conclude()
                self._start_the_next()
            self._flush()

    def _is_importing(self) -> bool:
        return self._server is not None and not self._server.ready

    def _read_requests(self) -> None:
        data = os.read(_STDIN, _BLOCK)
        self._open = bool(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for request in map(json.loads, lines):
            if "run" in request:
                self._waiting.append(Task.of(request["run"]))
            elif "code" in request:
                self._code = request["code"]
            elif self._unfit:
                self._tell(event="prepared")
            else:
                self._prepare(request["prepare"])

    def _prepare(self, fields: dict[str, Any]) -> None:
        """Start a fork server for the models that are asked for, and for those that were before.

        One that has forked cells must not import more: it would run a plugin's code that may have notes of theirs.
        """
        self._models = tuple(dict.fromkeys((*self._models, *fields["models"])))
        self._end_server()
        home = self._home.lend()
        folders = {"writable": (str(self._at_work), str(home.parent)), "readable": (str(self._home.imported.parent),)}
        request = ImportRequest(**{**fields, **folders, "models": self._models, "code": self._code})
        self._server = ForkServer(request, home, self._home.imported)
        self._selector.register(self._server.channel, selectors.EVENT_READ, self._hear_the_server)

    def _hear_the_server(self) -> None:
        if self._server is None:
            return
        was_ready, problem = self._server.ready, self._server.receive()
        if problem:
            self._go_on_without_server(problem)
        elif self._server.ready and not was_ready:
            self._home.take_back(keep=True)
            self._tell(event="prepared")

    def _look_at_the_server(self) -> None:
        """Find out what has become of the fork server and of the cell that it was asked for."""
        self._hear_the_server()  # what it said before it died
        if (server := self._server) is None:
            return
        done, status = os.waitpid(server.pid, os.WNOHANG)
        if done:
            server.pid = 0
            self._go_on_without_server(how_ended(os.waitstatus_to_exitcode(status)))
        elif problem := server.problem():
            self._go_on_without_server(problem)
        elif self._arriving is not None and server.idle and (pid := self._arriving.claimed_pid()):
            if pid not in children_of(os.getpid()).difference(self._cells, (server.pid,)):
                self._go_on_without_server("lost a cell before it began")
                return
            if problem := server.rest():
                self._go_on_without_server(problem)
                return
            self._selector.unregister(self._arriving.control)
            cell, self._arriving = self._arriving, None
            self._begin(cell, pid)

    def _go_on_without_server(self, problem: str) -> None:
        """Fork cells from this process from now on."""
        assert self._server is not None
        what = self._server.importing or ", ".join(self._models)
        after = "; from now on its cells import it themselves, within their limits"
        self._tell(event="note", text=f"importing {what} {problem}"[: LONGEST_TEXT - len(after)] + after)
        if not self._server.ready:
            self._tell(event="prepared")
        self._unfit = True
        self._end_server()

    def _end_server(self) -> None:
        """End the fork server and all that it has started; a cell that it was asked for waits again."""
        if (server := self._server) is None:
            return
        self._server = None
        self._selector.unregister(server.channel)
        server.close()
        if (cell := self._arriving) is not None:
            self._arriving = None
            self._selector.unregister(cell.control)
            cell.close()
            self._waiting.appendleft(cell.task)
        end_children_but(self._cells.keys())
        self._home.take_back(keep=server.ready)
        self._renew_at_work()

    def _renew_at_work(self) -> None:
        """Let cells work in a new folder, out of reach for those of before, and under a name that nobody can guess.

        Whether a path exists, and how large it is, can be asked of any that is known.
        """
        self._at_work = self._place / secrets.token_hex(8)
        self._at_work.mkdir()
        self._size = self._at_work.stat().st_size

    def _start_the_next(self) -> None:
        """Start a cell that waits; one at a time, so that an unknown child is either this cell or nobody's."""
        while self._waiting and self._arriving is None and not self._is_importing():
            if self._server is not None and (problem := self._traces() or self._server.disturbance()):
                self._go_on_without_server(problem)
            cell = WatchedCell(self._waiting.popleft(), self._tell_if_room, self._at_work)
            if self._server is not None:
                self._arriving = cell
                self._selector.register(cell.control, selectors.EVENT_READ, self._look_at_the_server)
                self._server.fork_cell(cell.ends)
                if self._groups is not None:
                    self._groups.make_ready()
                cell.give_away()
            else:
                self._fork(cell)

    def _traces(self) -> str:
        """Return which files of others the next cell would find if it were not confined, empty for none.

        A confined cell leaves none. On some file systems a folder stays as large as it was.
        """
        known, found = {cell.place for cell in self._cells.values()}, [*self._at_work.iterdir()]
        grown = not found and self._at_work.stat().st_size != self._size
        if grown or self._home.is_lent or not known.issuperset(found):
            return "left files that its next cell would find"
        return ""

    def _fork(self, cell: WatchedCell) -> None:
        watchdog, (output, control) = os.getpid(), cell.ends
        if (pid := os.fork()) == 0:
            close_all_but(output, control)
            run_cell(output, control, self._home.path, self._code, watchdog)
        cell.give_away()
        self._begin(cell, pid)

    def _begin(self, cell: WatchedCell, pid: int) -> None:
        """Let a cell go on that is now known, and watch it."""
        self._cells[pid] = cell
        if self._groups is not None:
            # The kernel's limits are wider: they are for what is too quick for a look twenty times a second.
            memory, most = cell.kernels_limit, _ROOM_FOR_PROCESSES * cell.task.max_processes
            if self._groups.enter(str(pid), pid, memory=memory, processes=most):
                cell.limited_by = self._groups.version
        cell.begin(pid)
        for descriptor, read in ((cell.output, cell.read_output), (cell.control, cell.read_events)):
            self._selector.register(descriptor, selectors.EVENT_READ, partial(self._read, descriptor, read))
        if (end := end_of(pid)) is not None:
            self._ends[pid] = end
            self._selector.register(end, selectors.EVENT_READ, self._look_at_cells)

    def _read(self, descriptor: int, read: Callable[[], bytes | None]) -> None:
        if read() == b"":
            self._selector.unregister(descriptor)

    def _look_at_cells(self) -> None:
        """Hold cells to their limits; find out which have ended."""
        before, self._population = self._population, _population()
        for pid, cell in list(self._cells.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._cells[pid]
                self._ended.append((cell, status))
                if (end := self._ends.pop(pid, None)) is not None:
                    self._selector.unregister(end)
                    os.close(end)
            else:
                cell.check_limits(crowded=self._population - before > _CROWD)

    def _conclude(self) -> None:
        """Tell the ends of cells, when nothing is left of what they have started."""
        for cell, status in self._ended:
            for descriptor in (cell.output, cell.control):
                with suppress(KeyError):  # it has been read to its end
                    self._selector.unregister(descriptor)
            held = " ".join((*protections(network=cell.task.network), cell.limited_by))
            beyond = self._groups is not None and self._groups.oom_kills(str(cell.pid)) > 0
            self._tell(task=cell.task.name, protections=held, **cell.conclude(status, beyond_kernels_limit=beyond))
            if self._groups is not None:
                self._groups.close(str(cell.pid))
        self._ended.clear()

    def _tell(self, **event: object) -> None:
        self._outbox.append(event_line(**event))
        self._flush()

    def _tell_if_room(self, task: str, **event: object) -> None:
        if not self._outbox:
            send_if_room(self._events, task, **event)

    def _flush(self) -> None:
        """Write what must be told, as far as the supervisor has made room for it."""
        while self._outbox:
            try:
                os.write(self._events, self._outbox[0])
            except BlockingIOError:
                return
            self._outbox.popleft()


def end_of(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, None where the system has no such thing."""
    with suppress(AttributeError, OSError):  # not Linux, an old one, or a container that does not let it through
        return os.pidfd_open(pid)
    return None


def _population() -> int:
    """Return how many threads there are on the machine, 0 where the system does not say; cheaper than counting."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/loadavg").read_bytes().split()[3].partition(b"/")[2])
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
