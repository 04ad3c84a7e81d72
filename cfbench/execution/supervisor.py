"""Supervisor of cells: starts fork servers, gives them tasks, and finds out how each ends, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfbench.execution.contract import Outcome, RunEvents, Task
from cfbench.execution.outcome_file import concluded, tail_of
from cfbench.execution.pipe_events import parse_event, widen
from cfbench.execution.process_tree import how_ended
from cfbench.execution.readable_code import readable_code
from cfbench.execution.sandbox import persistent_home
from cfbench.files.locks import remove_folder
from cfbench.model.protocols import EpochReport

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""Environment variables by which libraries take their number of threads; every cell gets its own."""

_HIDDEN_VARIABLE = "CFBENCH_DATA"  # models must not read the true test ratings
_END_SECONDS, _END_OF_IMPORT_SECONDS = 5.0, 0.1  # a server that imports does not notice the end of its input
_LOOK = 1.0  # seconds between looks at servers that import for too long
_SHORTEST_IMPORT, _LONGEST_IMPORT = 10.0, 60.0  # seconds that a model's libraries may take before it is left to itself


class ForkServerClient:
    """One running fork server.

    Attributes:
        process: the server.
        events: the descriptor that its events are read from.
        requested: the models that it was asked to import.
        importing: the model that it imports now, empty where none.
        busy_since: when that began, by the monotonic clock; 0 where it imports nothing.
    """

    def __init__(self, task: Task) -> None:
        """Start the server of a task's distribution.

        It must import the very code that this process has read and vouches for: from the same path, and not whatever
        lies in the current folder.
        """
        outputs = Path(task.folder).parent
        home = persistent_home(task.distribution, outputs)
        environment = {name: value for name, value in os.environ.items() if name != _HIDDEN_VARIABLE}
        environment |= dict.fromkeys(THREAD_VARIABLES, str(task.threads))
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.events, write = os.pipe()
        with Path(task.log).open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "cfbench.execution.fork_server", str(write), str(home)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # an interrupt at the terminal reaches the supervisor alone
                env=environment,
            )
        os.close(write)
        assert self.process.stdin is not None
        self._stdin = self.process.stdin
        widen(self.events)
        widen(self._stdin.fileno())  # a server that imports does not read, and is not waited for
        self.requested = set[str]()
        self.importing = ""
        self.busy_since = time.monotonic()
        self._partial = b""
        code = readable_code(task.hidden)
        # What is denied here, its cells are denied too: a cell gives up other cells' inputs.
        readable = [*code.readable, str(Path(task.inputs).parent)]
        self.send(confine=vars(code), writable=[str(outputs), str(home)], readable=readable, network=task.network)

    def send(self, **request: object) -> None:
        """Send a request; :mod:`cfbench.execution.fork_server` lists them."""
        with suppress(BrokenPipeError):  # the server has died; the end of its events tells how
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()

    def prepare(self, models: Sequence[str], *, energy: bool) -> None:
        """Let the server import classes, ``package.module:Class`` each, ahead of their cells."""
        self.requested.update(models)
        self.busy_since = time.monotonic()
        self.send(prepare=list(models), energy=energy)

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the events that have arrived; None where the server has gone."""
        data = os.read(self.events, 65536)
        if not data:
            return None
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [event for line in lines if (event := parse_event(line)) is not None]

    def close(self) -> int:
        """End the server with all that it started; return its exit code."""
        os.close(self.events)
        with suppress(BrokenPipeError):  # a dead server reads nothing; closing was all that was wanted
            self._stdin.close()
        try:
            self.process.wait(timeout=_END_OF_IMPORT_SECONDS if self.busy_since else _END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode


@dataclass
class Supervisor:
    """Supervisor of the fork servers, one per plugin distribution, and of the tasks that run in each.

    All methods must be called from one thread, which lives as long as the supervisor: servers end with it.

    Attributes:
        events: is notified of phases, epochs, usage and remarks.
        expected: tasks that are going to be started, whose libraries may be imported ahead.
        running: the tasks that run, by name.
    """

    events: RunEvents
    expected: Sequence[Task] = ()
    running: dict[str, Task] = field(default_factory=dict)
    _servers: dict[str, ForkServerClient] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)
    _retried: set[str] = field(default_factory=set)
    _harmful: set[str] = field(default_factory=set)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, task: Task) -> None:
        """Hand a task to the server of its distribution, starting one anew where it has died."""
        self.running[task.name] = task
        self.events.cell_phase(task, "waiting")
        if task.distribution not in self._servers:
            self._serve(task)
        server = self._servers[task.distribution]
        if task.import_path not in server.requested | self._harmful:
            server.prepare([task.import_path], energy=task.energy)
        server.send(run=vars(task))

    def wait(self) -> list[Outcome]:
        """Wait for something to happen and return the outcomes of the tasks that ended, if any."""
        dead = {name for name, server in self._servers.items() if server.process.poll() is not None}
        ready = [key.data for key, _ in self._selector.select(_LOOK)]
        ended: list[Outcome | None] = []
        for name in ready:
            server = self._servers[name]
            received = server.receive()
            ended += self._lost(name) if received is None else [self._handle(server, event) for event in received]
        for name in dead.difference(ready):  # something that a plugin started there holds its pipe open
            ended += self._lost(name)
        for name, server in list(self._servers.items()):
            # One model's import that hangs must not keep the other cells of its distribution waiting.
            limits = [task.timeout for task in self._running_in(name) if task.timeout is not None]
            patience = min([_LONGEST_IMPORT, *(max(_SHORTEST_IMPORT, limit) for limit in limits)])
            if server.importing and time.monotonic() - server.busy_since > patience:
                self._drop(name)
                self._go_on_without(server.importing, name, f"took longer than {patience:g} s")
        return [outcome for outcome in ended if outcome is not None]

    def close(self) -> None:
        """End all servers and their children."""
        for name in list(self._servers):
            self._drop(name)
        self._selector.close()

    def _running_in(self, distribution: str) -> list[Task]:
        return [task for task in self.running.values() if task.distribution == distribution]

    def _serve(self, task: Task) -> None:
        """Start the server of a task's distribution and let it import what that distribution's cells need."""
        server = self._servers[task.distribution] = ForkServerClient(task)
        self._opened.add(task.distribution)
        self._selector.register(server.events, selectors.EVENT_READ, task.distribution)
        same = [task, *(one for one in self.expected if one.distribution == task.distribution)]
        models = dict.fromkeys(one.import_path for one in same)
        server.prepare([model for model in models if model not in self._harmful], energy=task.energy)

    def _handle(self, server: ForkServerClient, event: dict[str, Any]) -> Outcome | None:
        """Take note of an event; return the outcome of the task that it ends, if any."""
        task = self.running.get(event["task"])
        match event["event"]:
            case "importing":
                server.importing, server.busy_since = event["name"], time.monotonic()
            case "prepared":
                server.importing, server.busy_since = "", 0.0
                # Later cells' libraries are imported while earlier cells run; one server after another, since all at
                # once they would take the cores from the cells. A server is opened ahead only once.
                ahead = next((one for one in self.expected if one.distribution not in self._opened), None)
                if ahead is not None:
                    self._serve(ahead)
            case "phase" if task is not None:
                self.events.cell_phase(task, event["name"])
            case "usage" if task is not None:
                self.events.cell_usage(task, event["seconds"], event["bytes"])
            case "epoch" if task is not None:
                losses = event["train_loss"], event["validation_loss"]
                self.events.cell_epoch(task, EpochReport(event["epoch"], event["epochs"], *losses))
            case "exited" if task is not None:
                del self.running[task.name]
                return concluded(task, event)
            case "lost" if task is not None:
                return self._try_again(task, event["code"])
        return None

    def _lost(self, distribution: str) -> Iterable[Outcome | None]:
        """Try the cells of a server that has gone once more."""
        culprit = self._servers[distribution].importing
        code = self._drop(distribution)
        if culprit:
            self._go_on_without(culprit, distribution, how_ended(code))
            return ()
        return [self._try_again(task, code) for task in self._running_in(distribution)]

    def _try_again(self, task: Task, code: int) -> Outcome | None:
        """Start a cell once more whose watchdog or server died: as far as can be known, the cell is not to blame."""
        how = f"the process that supervises it {how_ended(code)}"
        if task.name in self._retried:
            del self.running[task.name]
            return Outcome(task, "crashed", f"{how}, twice", log_tail=tail_of(Path(task.log)))
        self._retried.add(task.name)
        self.events.note(f"{task.label}: {how}; the cell is tried once more")
        self._restart(task)
        return None

    def _restart(self, task: Task) -> None:
        remove_folder(Path(task.folder))  # what it has left is no beginning to go on from
        Path(task.folder).mkdir(exist_ok=True)
        self.start(task)

    def _go_on_without(self, model: str, distribution: str, how: str) -> None:
        """Restart the cells of a distribution under a server that leaves ``model`` to be imported by its own cells."""
        self._harmful.add(model)
        self.events.note(f"importing {model} {how}; from now on its own cells import it, within their limits")
        for task in self._running_in(distribution):
            self._restart(task)

    def _drop(self, distribution: str) -> int:
        """End a server with all that it started; return its exit code."""
        server = self._servers.pop(distribution)
        self._selector.unregister(server.events)
        return server.close()
