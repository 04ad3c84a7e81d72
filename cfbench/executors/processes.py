"""The supervisor: every cell in a process of its own, so that a crash loses that cell only."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cfbench.contracts import EpochReport
from cfbench.executors.fork_server import prepare_line, run_line
from cfbench.executors.task import Listener, Outcome, Task
from cfbench.executors.work import collect

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOG_TAIL = 600


@dataclass(frozen=True)
class ProcessExecutor:
    """Runs up to ``jobs`` cells at a time, each forked from the server of its plugin's distribution.

    Attributes:
        jobs: how many cells run at the same time.
        threads: threads that each cell's libraries may use.
    """

    jobs: int = 1
    threads: int = 1

    def __call__(self, tasks: Sequence[Task], listener: Listener) -> Generator[Outcome]:
        """Yield outcomes as cells end; the next cell starts before an outcome is handed out."""
        supervisor = _Supervisor(self.threads, listener, tasks)
        waiting = iter(tasks)
        try:
            self._fill(supervisor, waiting)
            while supervisor.running:
                ended = supervisor.wait()
                self._fill(supervisor, waiting)
                yield from ended
        finally:
            supervisor.close()

    def _fill(self, supervisor: _Supervisor, waiting: Iterator[Task]) -> None:
        """Start tasks until all places are taken or none is left."""
        while len(supervisor.running) < self.jobs and (task := next(waiting, None)) is not None:
            supervisor.start(task)


@dataclass(eq=False)
class _Server:
    """A running fork server, and the bytes of an event line not yet complete."""

    process: subprocess.Popen[bytes]
    events: int
    partial: bytes = b""


@dataclass
class _Supervisor:
    """Keeps one server per distribution and knows which tasks run where."""

    threads: int
    listener: Listener
    tasks: Sequence[Task]
    running: dict[str, Task] = field(default_factory=dict)
    servers: dict[str, _Server] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def open_next_server(self) -> None:
        """Start the server of a later cell, so that it imports its libraries while earlier cells run.

        One after another, each when the one before is ready: all at once they would take the cores from the
        cells that run. A home is opened ahead once; its server is started anew only where a cell needs it.
        """
        ahead = next((task for task in self.tasks if task.home not in self.opened), None)
        if ahead is not None:
            self._serve(ahead)

    def start(self, task: Task) -> None:
        """Hand a task to the server of its home, starting one anew where it has died."""
        self.running[task.name] = task
        self.listener.started(task)
        if task.home not in self.servers:
            self._serve(task)
        self._tell(task.home, run_line(task))

    def wait(self) -> list[Outcome]:
        """Wait for events and return the outcomes of the tasks that ended."""
        ended: list[Outcome] = []
        for key, _ in self.selector.select():
            ended += self._read(key.data)
        return ended

    def close(self) -> None:
        """End all servers and their children."""
        for home in list(self.servers):
            self._drop(home)
        self.selector.close()

    def _tell(self, home: str, line: bytes) -> None:
        stdin = self.servers[home].process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # the server has died; its end of events tells how
            stdin.write(line)
            stdin.flush()

    def _serve(self, task: Task) -> None:
        """Start the server of a task's home and let it import what the home's cells need."""
        home = task.home
        read, write = os.pipe()
        environment = dict(os.environ) | dict.fromkeys(_THREAD_VARIABLES, str(self.threads))
        # The server must import the very code that this process has read and vouches for: the same path, and not
        # whatever lies in the current folder.
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with Path(task.log).open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "cfbench.executors.fork_server", str(write)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # an interrupt at the terminal reaches the supervisor alone
                env=environment,
            )
        os.close(write)
        self.servers[home] = _Server(process, read)
        self.opened.add(home)
        self.selector.register(read, selectors.EVENT_READ, home)
        self._tell(home, prepare_line(list(dict.fromkeys(one.model for one in self.tasks if one.home == home))))

    def _read(self, home: str) -> list[Outcome]:
        server = self.servers[home]
        data = os.read(server.events, 65536)
        if not data:
            return self._lost(home)
        *lines, server.partial = (server.partial + data).split(b"\n")
        outcomes = (self._hear(json.loads(line)) for line in lines)
        return [outcome for outcome in outcomes if outcome is not None]

    def _hear(self, event: dict[str, object]) -> Outcome | None:
        kind, name = event.pop("event"), str(event.pop("task"))
        if kind == "prepared":
            self.open_next_server()
        task = self.running.get(name)
        if task is None:
            return None
        if kind == "epoch":
            self.listener.epoch(task, EpochReport(**event))  # type: ignore[arg-type]
        if kind != "exited":
            return None
        del self.running[name]
        return collect(task) or _crashed(task, int(str(event["code"])))

    def _lost(self, home: str) -> list[Outcome]:
        """A server is gone: so are the cells that it ran."""
        process = self._drop(home)
        lost = [task for task in self.running.values() if task.home == home]
        for task in lost:
            del self.running[task.name]
        return [collect(task) or _crashed(task, process.returncode) for task in lost]

    def _drop(self, home: str) -> subprocess.Popen[bytes]:
        server = self.servers.pop(home)
        self.selector.unregister(server.events)
        os.close(server.events)
        assert server.process.stdin is not None
        with suppress(BrokenPipeError):  # a dead server reads nothing; closing was all that was wanted
            server.process.stdin.close()
        if not any(task.home == home for task in self.running.values()):
            server.process.kill()  # nothing to tidy up, and taking down an interpreter with torch takes a while
        try:
            server.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
        return server.process


def _crashed(task: Task, code: int) -> Outcome:
    how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
    tail = _tail(Path(task.log))
    said = f"; it last printed: {tail}" if tail else ""
    return Outcome(task, "crashed", f"its process {how} before it answered{said}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _tail(log: Path) -> str:
    try:
        text = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())
