"""Supervisor of cells: starts watchdogs, gives them tasks, and finds out how each ends, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
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

# Cells are forked from no process with threads; pyarrow, which pandas imports, starts one for its memory otherwise.
_NO_THREADS_OF_THEIR_OWN = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_HIDDEN_VARIABLE = "CFBENCH_DATA"  # models must not read the true test ratings
# Compiled modules that say that they need not be held against their sources are held against them all the same.
_INTERPRETER = (sys.executable, "-P", "--check-hash-based-pycs", "always")
_END_SECONDS = 10.0
_LOOK = 1.0  # seconds between looks at watchdogs that have died or say nothing
_SILENCE = 60.0  # seconds; a watchdog reports the usage of its cells every second


class WatchdogClient:
    """One running watchdog, with the cells of one plugin distribution.

    Attributes:
        process: the watchdog's keeper.
        events: the descriptor that its events are read from.
        requested: the models that are to be imported ahead of their cells.
        awaited: whether a cell waits for their import, or began when it had begun before.
        heard: when it was last heard of, by the monotonic clock.
    """

    def __init__(self, task: Task) -> None:
        """Start the watchdog of a task's distribution.

        Its cells must import the very code that this process has read and vouches for: from the same path, and not
        whatever lies in the current folder.
        """
        cells = Path(task.folder).parent
        cells.mkdir(parents=True, exist_ok=True)
        self._place = Path(tempfile.mkdtemp(prefix="watchdog-", dir=cells))
        home = persistent_home(task.distribution, cells)
        environment = {name: value for name, value in os.environ.items() if name != _HIDDEN_VARIABLE}
        environment |= {**dict.fromkeys(THREAD_VARIABLES, str(task.threads)), **_NO_THREADS_OF_THEIR_OWN}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.events, write = os.pipe()
        with Path(task.log).open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*_INTERPRETER, "-m", "cfbench.execution.watchdog", str(write), str(self._place), str(home)],
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
        self.requested, self.awaited = set[str](), False
        self.heard = time.monotonic()
        self._partial = b""
        self._send(code=vars(readable_code(task.hidden)))

    def prepare(self, models: Iterable[str], task: Task) -> None:
        """Let classes, ``package.module:Class``, be imported ahead of their cells, within the limits of ``task``."""
        self.requested.update(models)
        limits = {"timeout": task.timeout, "memory_limit": task.memory_limit, "max_processes": task.max_processes}
        self._send(prepare={"models": list(models), "energy": task.energy, "network": task.network, **limits})

    def run(self, task: Task) -> None:
        """Let a task be carried out."""
        self.heard = time.monotonic()
        self._send(run=vars(task))

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the events that have arrived; None where the watchdog has gone."""
        data = os.read(self.events, 65536)
        if not data:
            return None
        self.heard = time.monotonic()
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [event for line in lines if (event := parse_event(line)) is not None]

    def hang_up(self) -> None:
        """Let the watchdog know that nothing more is asked of it, which it ends by."""
        with suppress(BrokenPipeError):  # a dead one reads nothing; closing was all that was wanted
            self._stdin.close()

    def close(self) -> int:
        """End the watchdog with all that it started; return its exit code."""
        os.close(self.events)
        self.hang_up()
        try:
            for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
                self.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    return self.process.wait(timeout=_END_SECONDS)
            return self.process.wait()
        finally:
            remove_folder(self._place)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the keeper, which hears it where it is stopped, too."""
        for one in (number, signal.SIGCONT):
            self.process.send_signal(one)

    def _send(self, **request: object) -> None:
        with suppress(BrokenPipeError):  # it has died; the end of its events tells how
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()


@dataclass(frozen=True)
class Ended:
    """A task that has ended.

    Attributes:
        task: the task.
        outcome: returns how it ended. What its cell has left is read by then, which takes a while: start others first.
    """

    task: Task
    outcome: Callable[[], Outcome]


@dataclass
class Supervisor:
    """Supervisor of the watchdogs, one per plugin distribution, and of the tasks that run below each.

    All methods must be called from one thread, which lives as long as the supervisor.

    Attributes:
        events: is notified of phases, epochs, usage and remarks.
        expected: tasks that are going to be started, whose libraries may be imported ahead.
        fresh: whether every cell imports its plugin itself.
        running: the tasks that run, by name.
        importing: the distributions whose libraries are being imported, for cells that wait for them.
    """

    events: RunEvents
    expected: Sequence[Task] = ()
    fresh: bool = False
    running: dict[str, Task] = field(default_factory=dict)
    importing: set[str] = field(default_factory=set)
    _watchdogs: dict[str, WatchdogClient] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)
    _retried: set[str] = field(default_factory=set)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def make_ready(self, task: Task) -> None:
        """Start the watchdog of a task's distribution where there is none: it imports while inputs are written."""
        if task.distribution not in self._watchdogs:
            self._open(task)

    def start(self, task: Task) -> None:
        """Hand a task to the watchdog of its distribution, starting one anew where it has died."""
        self.running[task.name] = task
        self.events.cell_phase(task, "waiting")
        self.make_ready(task)
        watchdog = self._watchdogs[task.distribution]
        if task.distribution in self.importing and watchdog.awaited:  # it leaves its core to what comes next
            self._open_ahead()
        watchdog.awaited = True
        if not self.fresh and task.import_path not in watchdog.requested:
            watchdog.prepare([task.import_path], task)
        watchdog.run(task)

    def wait(self, seconds: float = _LOOK) -> list[Ended]:
        """Wait until something happens, so long at most; return the tasks that ended, if any."""
        dead = {name for name, watchdog in self._watchdogs.items() if watchdog.process.poll() is not None}
        ready = [key.data for key, _ in self._selector.select(seconds)]
        ended: list[Ended | None] = []
        for name in ready:
            received = self._watchdogs[name].receive()
            ended += self._lost(name) if received is None else (self._handle(name, event) for event in received)
        for name in dead.difference(ready):  # something holds its pipe open
            ended += self._lost(name)
        for name in {task.distribution for task in self.running.values()}:
            if time.monotonic() - self._watchdogs[name].heard > _SILENCE:
                self._watchdogs[name].send_signal(signal.SIGTERM)  # its keeper ends it: noticed at the next look
        return [one for one in ended if one is not None]

    def keep(self, needed: Collection[str]) -> None:
        """Let the watchdogs of all distributions end but of those that are ``needed``; it does not wait for them."""
        for name in self._watchdogs.keys() - needed:
            self._watchdogs[name].hang_up()

    def close(self) -> None:
        """End all watchdogs and their cells, which takes each a while."""
        self.keep(())
        for name in list(self._watchdogs):
            self._drop(name)
        self._selector.close()

    def _open(self, task: Task) -> None:
        """Start the watchdog of a task's distribution and let it import what that distribution's cells need."""
        watchdog = self._watchdogs[task.distribution] = WatchdogClient(task)
        self._opened.add(task.distribution)
        self._selector.register(watchdog.events, selectors.EVENT_READ, task.distribution)
        if not self.fresh:
            same = [task, *(one for one in self.expected if one.distribution == task.distribution)]
            watchdog.prepare(dict.fromkeys(one.import_path for one in same), task)
            self.importing.add(task.distribution)

    def _open_ahead(self) -> None:
        """Start the watchdog of the next distribution that had none, once."""
        ahead = next((one for one in self.expected if one.distribution not in self._opened), None)
        if ahead is not None:
            self._open(ahead)
            self._watchdogs[ahead.distribution].awaited = True

    def _handle(self, distribution: str, event: dict[str, Any]) -> Ended | None:
        """Take note of an event; return the task that it ends, if any."""
        task = self.running.get(event["task"])
        match event["event"]:
            case "prepared":
                # Later cells' libraries are imported while earlier cells run; one plugin after another, since all at
                # once they would take the cores from the cells.
                self.importing.discard(distribution)
                if not self.importing:
                    self._open_ahead()
            case "note":
                self.events.note(event["text"])
            case "phase" if task is not None:
                self.events.cell_phase(task, event["name"])
            case "usage" if task is not None:
                self.events.cell_usage(task, event["seconds"], event["bytes"])
            case "epoch" if task is not None:
                losses = event["train_loss"], event["validation_loss"]
                self.events.cell_epoch(task, EpochReport(event["epoch"], event["epochs"], *losses))
            case "exited" if task is not None:
                del self.running[task.name]
                return Ended(task, partial(_outcome, task, event))
        return None

    def _lost(self, distribution: str) -> list[Ended | None]:
        """Try the cells of a watchdog that has gone once more: as far as can be known, they are not to blame."""
        code = self._drop(distribution)
        tasks = [task for task in self.running.values() if task.distribution == distribution]
        return [self._try_again(task, f"the process that supervises it {how_ended(code)}") for task in tasks]

    def _try_again(self, task: Task, how: str) -> Ended | None:
        if task.name in self._retried:
            del self.running[task.name]
            return Ended(task, lambda: Outcome(task, "crashed", f"{how}, twice", log_tail=tail_of(Path(task.log))))
        self._retried.add(task.name)
        self.events.note(f"{task.label}: {how}; the cell is tried once more")
        remove_folder(Path(task.folder))  # what it has left is no beginning to go on from
        Path(task.folder).mkdir(exist_ok=True)
        self.start(task)
        return None

    def _drop(self, distribution: str) -> int:
        """End a watchdog with all that it started; return its exit code."""
        watchdog = self._watchdogs.pop(distribution)
        self.importing.discard(distribution)
        self._selector.unregister(watchdog.events)
        return watchdog.close()


def _outcome(task: Task, event: dict[str, Any]) -> Outcome:
    return replace(concluded(task, event), protections=tuple(event["protections"].split()))
