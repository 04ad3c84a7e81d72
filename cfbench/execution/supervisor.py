"""The supervisor: starts fork servers, hands them tasks, and says what came of each, whatever dies meanwhile."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cfbench.execution.events import heard, widen
from cfbench.execution.fork_server import confine_line, prepare_line, run_line
from cfbench.execution.outcome_reader import collect
from cfbench.execution.printed_log import tail_of
from cfbench.execution.private_home import persistent_home
from cfbench.execution.process_tree import how_ended
from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, Task
from cfbench.model.protocols import EpochReport
from cfbench.resources.cost import Cost

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
_WITHHELD = "CFBENCH_DATA"  # the truth about test rows is no business of a model
_LOOK = 1.0  # seconds between looks at servers that import for too long
_SHORTEST_IMPORT, _LONGEST_IMPORT = 10.0, 60.0  # seconds that a model's libraries may take before it is left to itself
_SHOWN = 200  # characters of a log that a reason quotes


@dataclass(eq=False)
class _Server:
    """A running fork server, and the bytes of an event line not yet complete."""

    process: subprocess.Popen[bytes]
    events: int
    busy_since: float
    partial: bytes = b""
    told_to_import: set[str] = field(default_factory=set)
    importing: str = ""


@dataclass
class Supervisor:
    """Keeps one server per plugin distribution and knows which tasks run where.

    All methods must be called from one thread, which lives as long as the supervisor: servers end with it.

    Attributes:
        events: is notified of phases, epochs, usage and remarks.
        expected: tasks that are going to be started, whose libraries may be imported ahead.
        running: the tasks that run, by name.
    """

    events: RunEvents
    expected: Sequence[Task] = ()
    running: dict[str, Task] = field(default_factory=dict)
    _servers: dict[str, _Server] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)
    _retried: set[str] = field(default_factory=set)
    _harmful: set[str] = field(default_factory=set)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, task: Task) -> None:
        """Hand a task to the server of its home, starting one anew where it has died."""
        self.running[task.name] = task
        self.events.cell_phase(task, "waiting")
        if task.distribution not in self._servers:
            self._serve(task)
        if task.model not in self._servers[task.distribution].told_to_import | self._harmful:
            self._import(task, [task.model])
        self._tell(task.distribution, run_line(task))

    def wait(self) -> list[Outcome]:
        """Wait for something to happen and return the outcomes of the tasks that ended, if any."""
        dead = {home for home, server in self._servers.items() if server.process.poll() is not None}
        ended: list[Outcome] = []
        ready = [key.data for key, _ in self._selector.select(_LOOK)]
        for home in ready:
            ended += self._read(home)
        for home in dead.difference(ready):  # something that a plugin started there holds its pipe open
            ended += self._lost(home)
        for home in list(self._servers):
            self._end_a_hanging_import(home)
        return ended

    def close(self) -> None:
        """End all servers and their children."""
        for home in list(self._servers):
            self._drop(home)
        self._selector.close()

    def _open_next_server(self) -> None:
        """Start the server of a later cell, so that it imports its libraries while earlier cells run.

        One after another, each when the one before is ready: all at once they would take the cores from the
        cells that run. A home is opened ahead once; its server is started anew only where a cell needs it.
        """
        ahead = next((task for task in self.expected if task.distribution not in self._opened), None)
        if ahead is not None:
            self._serve(ahead)

    def _tell(self, home: str, line: bytes) -> None:
        stdin = self._servers[home].process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # the server has died; its end of events tells how
            stdin.write(line)
            stdin.flush()

    def _serve(self, task: Task) -> None:
        """Start the server of a task's home and let it import what the home's cells need."""
        outputs = Path(task.output).parent
        home = persistent_home(task.distribution, outputs)
        read, write = os.pipe()
        with Path(task.log).open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "cfbench.execution.fork_server", str(write), str(home)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # an interrupt at the terminal reaches the supervisor alone
                env=_environment(task.threads),
            )
        os.close(write)
        assert process.stdin is not None
        widen(read)
        widen(process.stdin.fileno())  # a server that imports does not read, and is not waited for
        self._servers[task.distribution] = _Server(process, read, time.monotonic())
        self._opened.add(task.distribution)
        self._selector.register(read, selectors.EVENT_READ, task.distribution)
        self._tell(task.distribution, confine_line(task.protected, [str(outputs), str(home)]))
        models = [task.model, *(one.model for one in self.expected if one.distribution == task.distribution)]
        self._import(task, [model for model in dict.fromkeys(models) if model not in self._harmful])

    def _import(self, task: Task, models: Sequence[str]) -> None:
        server = self._servers[task.distribution]
        server.told_to_import.update(models)
        server.busy_since = time.monotonic()
        self._tell(task.distribution, prepare_line(models, energy=task.energy))

    def _read(self, home: str) -> list[Outcome]:
        server = self._servers[home]
        data = os.read(server.events, 65536)
        if not data:
            return self._lost(home)
        *lines, server.partial = (server.partial + data).split(b"\n")
        events = (event for line in lines if (event := heard(line)) is not None)
        outcomes = (self._hear(server, event) for event in events)
        return [outcome for outcome in outcomes if outcome is not None]

    def _hear(self, server: _Server, event: dict[str, Any]) -> Outcome | None:
        if event["event"] == "importing":
            server.importing, server.busy_since = event["name"], time.monotonic()
        if event["event"] == "prepared":
            server.importing, server.busy_since = "", 0.0
            self._open_next_server()
        task = self.running.get(event["task"])
        if task is None:
            return None
        match event["event"]:
            case "phase":
                self.events.cell_phase(task, str(event["name"]))
            case "usage":
                self.events.cell_usage(task, event["seconds"], event["bytes"])
            case "epoch":
                report = {name: value for name, value in event.items() if name not in ("event", "task")}
                self.events.cell_epoch(task, EpochReport(**report))
            case "exited":
                del self.running[task.name]
                return _concluded(task, event)
            case "lost":
                return self._again(task, int(event["code"]))
        return None

    def _lost(self, home: str) -> list[Outcome]:
        """A server is gone: so are the cells that it ran."""
        culprit = self._servers[home].importing
        code = self._drop(home)
        if culprit:
            self._go_on_without(culprit, home, how_ended(code))
            return []
        lost = [task for task in self.running.values() if task.distribution == home]
        outcomes = (self._again(task, code) for task in lost)
        return [outcome for outcome in outcomes if outcome is not None]

    def _again(self, task: Task, code: int) -> Outcome | None:
        """Try once more what was lost through no fault of its own, as far as can be known: its keeper died, not it."""
        if task.name in self._retried:
            del self.running[task.name]
            return Outcome(task, "crashed", f"the process that keeps it {how_ended(code)}, twice", log_tail=_tail(task))
        self._retried.add(task.name)
        self.events.note(f"{task.label}: the process that keeps it {how_ended(code)}; the cell is tried once more")
        self._begin_anew(task)
        return None

    def _begin_anew(self, task: Task) -> None:
        shutil.rmtree(task.output, ignore_errors=True)  # what it has left is no beginning to go on from
        Path(task.output).mkdir(exist_ok=True)
        self.start(task)

    def _end_a_hanging_import(self, home: str) -> None:
        """End a server that imports one model for too long, so that the others of its home need not wait."""
        server = self._servers[home]
        limits = [
            task.timeout for task in self.running.values() if task.distribution == home and task.timeout is not None
        ]
        patience = min([_LONGEST_IMPORT, *(max(_SHORTEST_IMPORT, limit) for limit in limits)])
        if server.importing and time.monotonic() - server.busy_since > patience:
            self._drop(home)
            self._go_on_without(server.importing, home, f"took longer than {patience:g} s")

    def _go_on_without(self, model: str, home: str, how: str) -> None:
        """Begin the cells of a home anew under a server that leaves ``model`` to be imported by its own cells."""
        self._harmful.add(model)
        self.events.note(f"importing {model} {how}; from now on its own cells import it, within their limits")
        for task in [one for one in self.running.values() if one.distribution == home]:
            self._begin_anew(task)

    def _drop(self, home: str) -> int:
        """End a server with all that it started; return its exit code."""
        server = self._servers.pop(home)
        self._selector.unregister(server.events)
        os.close(server.events)
        assert server.process.stdin is not None
        with suppress(BrokenPipeError):  # a dead server reads nothing; closing was all that was wanted
            server.process.stdin.close()
        try:
            server.process.wait(timeout=5 if server.busy_since == 0.0 else 0.1)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
        return server.process.returncode


def _environment(threads: int) -> dict[str, str]:
    """Return what a server may know of this process's surroundings.

    It must import the very code that this process has read and vouches for: from the same path, and not whatever lies
    in the current folder.
    """
    environment = {name: value for name, value in os.environ.items() if name != _WITHHELD}
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return environment


def _concluded(task: Task, event: Mapping[str, Any]) -> Outcome:
    """Say what came of a task whose process has ended."""
    spent = Cost(seconds={"cell": float(event["seconds"])}, peak_memory=int(event["peak"]))
    match event["verdict"]:
        case "timeout":
            reason = f"took longer than the {task.timeout:g} s allowed and was ended"
            return Outcome(task, "timeout", reason, cost=spent, log_tail=_tail(task))
        case "out-of-memory":
            return Outcome(task, "out-of-memory", _memory_reason(task, spent), cost=spent, log_tail=_tail(task))
    if event["undelivered"]:
        reason = f"its answers could not be written: {event['undelivered']}; free the disk, or set TMPDIR to another"
        return Outcome(task, "failed", reason, cost=spent, log_tail=_tail(task))
    outcome = collect(task)
    if outcome is None:
        return Outcome(task, "crashed", _crash_reason(task, int(event["code"])), cost=spent, log_tail=_tail(task))
    if outcome.status != "ok":
        return replace(outcome, log_tail=_tail(task))
    peak = max(outcome.cost.peak_memory, int(event["peak"]))
    return replace(outcome, cost=replace(outcome.cost, peak_memory=peak))


def _memory_reason(task: Task, spent: Cost) -> str:
    held = f"{spent.peak_memory / 2**20:,.0f} MiB"
    if task.memory_limit is not None and spent.peak_memory > task.memory_limit:
        return f"held {held}, more than the {task.memory_limit / 2**20:,.0f} MiB allowed, and was ended"
    return f"was ended by the kernel, which had no more memory; it held {held} when last looked at"


def _crash_reason(task: Task, code: int) -> str:
    said = " ".join(tail_of(Path(task.log)).split())[-_SHOWN:]
    return f"its process {how_ended(code)} before it answered" + (f"; it last printed: {said}" if said else "")


def _tail(task: Task) -> str:
    return tail_of(Path(task.log))
