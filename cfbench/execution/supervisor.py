"""Supervisor of cells: starts fork servers, gives them tasks, and finds out how each ends, whatever dies meanwhile."""

from __future__ import annotations

import selectors
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfbench.execution.fork_server_client import ForkServerClient
from cfbench.execution.outcome_reader import concluded
from cfbench.execution.printed_log import tail_of
from cfbench.execution.process_tree import how_ended
from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, Task
from cfbench.model.protocols import EpochReport

_LOOK = 1.0  # seconds between looks at servers that import for too long
_SHORTEST_IMPORT, _LONGEST_IMPORT = 10.0, 60.0  # seconds that a model's libraries may take before it is left to itself


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
                report = {name: value for name, value in event.items() if name not in ("event", "task")}
                self.events.cell_epoch(task, EpochReport(**report))
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
        shutil.rmtree(task.folder, ignore_errors=True)  # what it has left is no beginning to go on from
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
