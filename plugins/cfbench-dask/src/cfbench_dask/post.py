"""A post: what a worker keeps for one run, with the thread and the supervisor that carry out its cells."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from cfbench.execution.run_events import RunEvents
from cfbench.execution.supervisor import Supervisor
from cfbench.execution.task import Outcome, Task
from cfbench.model.protocols import EpochReport

LEASE = 60.0
"""Seconds after which a post closes that its run has not renewed: the run has been killed, or cannot reach it."""

_BETWEEN_REPORTS = 0.25  # seconds; the scheduler passes every report on
_LOOK = 1.0  # seconds between looks at the lease where nothing runs
_PATIENCE = 20.0  # seconds; a supervisor gives its servers five each


class Post:
    """Carries out cells of one run on this worker, each in a process of its own, until it is closed.

    One thread does it all, because fork servers end with the thread that started them. They are kept from cell to
    cell, so that a model's libraries are imported once.
    """

    def __init__(self, root: Path, token: str, tell: Callable[[list[Any]], None]) -> None:
        """Open a post.

        Args:
            root: a folder that goes with the post; made here.
            token: names the post, which a worker that was started again does not have.
            tell: takes reports, ``[task, kind, arguments]`` each; called rarely, with many.
        """
        self.root, self.token = root, token
        for name in ("inputs", "cells"):
            (root / name).mkdir(parents=True)
        self._teller = _Teller(tell)
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._replies: dict[str, SimpleQueue[Outcome | None]] = {}
        self._closing = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="cfbench-post", daemon=True)
        self._thread.start()

    @property
    def open(self) -> bool:
        """Whether it still carries out cells."""
        return self._thread.is_alive()

    def renew(self) -> None:
        """Keep the post open."""
        self._renewed = time.monotonic()

    def questions(self, split: str) -> Path:
        """Return where the questions of a split are kept."""
        return self.root / "inputs" / split

    def output(self, name: str) -> Path:
        """Return the folder of a cell's answers."""
        return self.root / "cells" / name

    def carry_out(self, task: Task) -> Outcome | None:
        """Carry out a task whose paths are another machine's, but for its questions; None where the post was closed."""
        output = self.output(task.name)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        reply = self._replies[task.name] = SimpleQueue()
        protected = (str(self.root), *task.protected)
        self._inbox.put(replace(task, output=str(output), log=f"{output}.log", protected=protected))
        while True:
            try:
                return reply.get(timeout=_LOOK)
            except Empty:
                if not self.open:
                    return None

    def close(self) -> None:
        """End all cells with all that they started, and remove the post's files; waits for it."""
        self._closing.set()
        self._inbox.put(None)
        self._thread.join(_PATIENCE)

    def _serve(self) -> None:
        supervisor = Supervisor(self._teller)
        try:
            while not self._closing.is_set() and time.monotonic() - self._renewed < LEASE:
                self._start(supervisor)
                for outcome in supervisor.wait() if supervisor.running else ():
                    self._replies.pop(outcome.task.name).put(outcome)
                self._teller.tell_if_due()
        finally:
            supervisor.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def _start(self, supervisor: Supervisor) -> None:
        """Start what waits; where nothing runs, wait a moment for something to start."""
        try:
            while (task := self._inbox.get(timeout=0.0 if supervisor.running else _LOOK)) is not None:
                supervisor.start(task)
        except Empty:
            return


class _Teller(RunEvents):
    """Hears of the cells and tells what is new, at most a few times a second; of each kind the latest is enough."""

    def __init__(self, tell: Callable[[list[Any]], None]) -> None:
        self._tell = tell
        self._told = 0.0
        self._latest: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._notes: list[str] = []

    def cell_phase(self, task: Task, name: str) -> None:
        self._latest[task.name, "cell_phase"] = (name,)

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        self._latest[task.name, "cell_epoch"] = astuple(report)

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        self._latest[task.name, "cell_usage"] = (seconds, resident_bytes)

    def note(self, text: str) -> None:
        self._notes.append(text)

    def tell_if_due(self) -> None:
        """Tell what has been held back, unless that was done a moment ago."""
        now = time.monotonic()
        if (self._latest or self._notes) and now - self._told >= _BETWEEN_REPORTS:
            self._told = now
            news: list[Any] = [[*key, list(arguments)] for key, arguments in self._latest.items()]
            self._tell(news + [["", "note", [text]] for text in self._notes])
            self._latest.clear()
            self._notes.clear()
