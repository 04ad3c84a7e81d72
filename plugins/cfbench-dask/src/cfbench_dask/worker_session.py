"""The worker's side of a run: a session with its own supervisor, and the functions that the run calls through Dask.

These functions take and return plain values only, so that neither side unpickles anything of the other.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import astuple, replace
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias
from urllib.parse import quote
from weakref import WeakValueDictionary

from distributed import Worker, get_worker

from cfbench.execution import Outcome, Registry, RunEvents, Supervisor, Task, remove_folder, write_outcome
from cfbench.model import EpochReport
from cfbench_dask.file_transfer import pack, piece_of, unpack

TOPIC = "cfbench"
"""The topic of all events; one for all runs, since a scheduler remembers every topic."""

LEASE = 60.0
"""Seconds after which a session ends that its run has not renewed: the run was killed, or cannot reach the worker."""

_BETWEEN_EVENTS = 0.25  # seconds; the scheduler passes every event on
_LOOK = 1.0  # seconds between looks at the lease where nothing runs
_CLOSING = 20.0  # seconds; a supervisor gives its servers five each

Need: TypeAlias = tuple[str, str, str, str]
"""What cells need to be installed: distribution, ``package.module:Class``, version and source digest of their model."""


Plugins: TypeAlias = Mapping[tuple[str, str], Any]
"""The usable models here, plugins of ``Registry``, by distribution and ``package.module:Class``."""


def usable_models() -> Plugins:
    """Return the models that can be used here, as they are installed now."""
    return {(one.distribution, one.value): one for one in Registry.discover().plugins("model") if not one.problem}


def misfits(versions: Mapping[str, str], needs: Collection[Need], usable: Plugins) -> list[str]:
    """Say for each model why cells that were planned elsewhere must not run here; an empty text where they may.

    Args:
        versions: versions there of what must be the same, by distribution.
        needs: what they need, as it is there.
        usable: the models here.
    """
    for name, version in versions.items():
        if (found := metadata.version(name)) != version:
            return [f"has {name} {found}, here is {version}" for _ in needs]

    def misfit(distribution: str, import_path: str, version: str, code: str) -> str:
        plugin = usable.get((distribution, import_path))
        if plugin is None:
            return f"has no usable {distribution}"
        if plugin.version != version:
            return f"has {distribution} {plugin.version}, here is {version}"
        other = "with other sources, or other versions of what it requires, than here"
        return "" if plugin.code == code else f"has {distribution} {version} {other}"

    return [misfit(*need) for need in needs]


class WorkerSession:
    """One run's cells on this worker, each in a process of its own, until the session is closed or its lease ends.

    One thread starts and awaits them all, as supervisors demand. Fork servers are kept from cell to cell, so that a
    model's libraries are imported once.
    """

    def __init__(self, root: Path, token: str, publish: Callable[[list[Any]], None], usable: Plugins) -> None:
        """Open a session.

        Args:
            root: a folder that goes with the session; made here.
            token: names the session, which a worker that was restarted does not have.
            publish: takes lists of events, ``[task, kind, arguments]`` each.
            usable: the models here, as they were compared with those of the run.
        """
        self.root, self.token, self.closed, self._usable = root, token, threading.Event(), usable
        self._inputs, self._cells, self._logs = root / "inputs", root / "cells", root / "logs"
        for folder in (self._inputs, self._cells, self._logs):
            folder.mkdir(parents=True)
        self._events = _LatestEvents(publish)
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._replies: dict[str, SimpleQueue[Outcome]] = {}
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="cfbench-session", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Begin the lease anew."""
        self._renewed = time.monotonic()

    def store(self, split: str, position: int, piece: bytes, size: int) -> None:
        """Store a piece of the archive with a split's evaluation inputs, which is unpacked with the last one."""
        archive = self._inputs / f"{split}.zip"
        with archive.open("ab" if position else "wb") as file:
            file.write(piece)
        if position + len(piece) >= size:
            unpack(archive, self._inputs / split)

    def forget(self, split: str) -> None:
        """Remove the inputs of a split that no cell needs any more."""
        remove_folder(self._inputs / split)

    def run(self, fields: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        """Run a task on the inputs of ``split`` stored here, on those that it names itself where ``split`` is empty.

        Its output and log are paths of another machine. Returns how it ended, and the size of the archive that holds
        its outcome, log and saved model, and nothing else; empty where the session was closed.
        """
        task = Task.of(fields)
        # A plugin's import may write to the folder above, which is all of its cells' and nobody else's.
        output = self._cells / f"of-{quote(task.distribution, safe='')}" / task.name
        remove_folder(output)
        output.mkdir(parents=True)
        inputs = str(self._inputs / split) if split else task.inputs
        task = replace(task, inputs=inputs, folder=str(output), log=str(self._logs / task.name))
        reply = self._replies[task.name] = SimpleQueue()
        self._inbox.put(task)
        while not self.closed.is_set():
            with suppress(Empty):
                return self._packed(reply.get(timeout=_LOOK))
        return {}

    def fetch(self, name: str, position: int) -> bytes:
        """Return a piece of what a cell has left, which is removed here with its last piece."""
        archive = self._cells / f"{name}.zip"
        piece = piece_of(archive, position)
        if position + len(piece) >= archive.stat().st_size:
            archive.unlink()
        return piece

    def close(self) -> None:
        """End all cells with all that they started, and remove the session's files; wait for it."""
        self.closed.set()
        self._inbox.put(None)
        self._thread.join(_CLOSING)

    def _packed(self, outcome: Outcome) -> Mapping[str, Any]:
        plugin = self._usable.get((outcome.task.distribution, outcome.task.import_path))
        if outcome.status == "ok" and plugin is not None and (change := plugin.code_change()):
            outcome = replace(outcome, status="failed", reason=f"{change} on the worker during the run", output=None)
        task, folder, ok = outcome.task, Path(outcome.task.folder), outcome.status == "ok"
        remove_folder(folder / "answers" if ok else folder)  # a model may have left there what is not to be sent
        # The file knows of success or failure alone, as a cell's process reports them.
        write_outcome(outcome if ok else replace(outcome, status="failed"))
        kept = {"log": Path(task.log), "answers": folder / "answers"}
        if task.save:
            kept["saved"] = folder / "saved"
        size = pack(self._cells / f"{task.name}.zip", kept)
        remove_folder(folder)
        Path(task.log).unlink(missing_ok=True)
        facts = {name: getattr(outcome, name) for name in ("status", "reason", "log_tail", "protections")}
        return {**facts, "size": size}

    def _serve(self) -> None:
        supervisor = Supervisor(self._events)
        try:
            while not self.closed.is_set() and time.monotonic() - self._renewed < LEASE:
                with suppress(Empty):
                    while (task := self._inbox.get(timeout=0.0 if supervisor.running else _LOOK)) is not None:
                        supervisor.start(task)
                # No longer than until the next events are due: a task or the end of the session may come meanwhile.
                for ended in supervisor.wait(_BETWEEN_EVENTS) if supervisor.running else ():
                    self._replies.pop(ended.task.name).put(ended.outcome())
                self._events.publish_if_due()
        finally:
            self.closed.set()
            supervisor.close()
            remove_folder(self.root)


class _LatestEvents(RunEvents):
    """The latest event of each kind by cell, and all notes, published a few times a second at most."""

    def __init__(self, publish: Callable[[list[Any]], None]) -> None:
        self._publish, self._published = publish, 0.0
        self._latest: dict[tuple[str, str], list[Any]] = {}

    def cell_phase(self, task: Task, name: str) -> None:
        self._latest[task.name, "phase"] = [task.name, "cell_phase", [name]]

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        self._latest[task.name, "epoch"] = [task.name, "cell_epoch", list(astuple(report))]

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        self._latest[task.name, "usage"] = [task.name, "cell_usage", [seconds, resident_bytes]]

    def note(self, text: str) -> None:
        self._latest["", text] = ["", "note", [text]]

    def publish_if_due(self) -> None:
        if self._latest and time.monotonic() - self._published >= _BETWEEN_EVENTS:
            self._published = time.monotonic()
            self._publish(list(self._latest.values()))
            self._latest.clear()


# By worker, of which a process may hold several, and run; what has ended is forgotten with its thread.
_sessions: WeakValueDictionary[tuple[str, str], WorkerSession] = WeakValueDictionary()
_ended: deque[str] = deque(
    maxlen=1000
)  # runs told to end here, the last ones; a session of theirs may be opening still
_lock = threading.Lock()


def run_cell(session: str, token: str, task: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    """Call :meth:`WorkerSession.run` as a task of Dask, which takes its turn, and a thread, among the worker's."""
    return answer(get_worker(), session, token, "run", task, split)


async def call(session: str, token: str, method: str, *arguments: Any, dask_worker: Worker) -> Mapping[str, Any]:
    """Call any other method at once, whatever the worker does, which goes on answering others meanwhile."""
    return await asyncio.to_thread(answer, dask_worker, session, token, method, *arguments)


def answer(worker: Worker, session: str, token: str, method: str, *arguments: Any) -> Mapping[str, Any]:
    """Call a method of a run's session; return its ``value``, else what is ``wrong``, or that the session is ``gone``.

    A ``token`` that is not empty is of the session that the caller means: a worker may have been restarted. The method
    ``open`` is :func:`open_session`; ``close`` also ends the sessions that are still being opened for the run.
    """
    if method == "open":
        return open_session(worker, session, *arguments)
    if method == "close":
        _ended.append(session)
    mine = _sessions.get((worker.id, session))
    if mine is None or mine.closed.is_set() or token not in ("", mine.token):
        return {"gone": "it no longer works for this run"}
    try:
        reply = {"value": getattr(mine, method)(*arguments)}
    except OSError as error:
        what = "keep the data" if method == "store" else "work"
        reply = {"wrong": f"cannot {what} in {mine.root}: {error.strerror or error}"}
    except ValueError as error:
        reply = {"wrong": f"was sent what {error}" if method == "store" else f"raised {type(error).__name__}: {error}"}
    # A session that closes takes its files along.
    return {"gone": "it was told to end"} if mine.closed.is_set() else reply


def open_session(
    worker: Worker, session: str, versions: Mapping[str, str], needs: Collection[Need], token_file: str
) -> Mapping[str, Any]:
    """Open a session; return its token, :func:`misfits`, and whether ``token_file`` is the run's here, too."""
    usable, token, shares = usable_models(), uuid.uuid4().hex, False
    reasons = misfits(versions, needs, usable)
    root = Path(worker.local_directory) / f"cfbench-{token}"

    def publish(events: list[Any]) -> None:
        worker.log_event(TOPIC, {"session": session, "worker": worker.address, "events": events})

    try:
        opened = WorkerSession(root, token, publish, usable)
    except OSError as error:
        return {"wrong": f"cannot make {root}: {error.strerror or error}"}
    with _lock:
        before, _sessions[worker.id, session] = _sessions.get((worker.id, session)), opened
    if before is not None:
        before.close()
    if session in _ended:
        opened.close()
    with suppress(OSError, ValueError):
        shares = Path(token_file).read_text("utf-8") == session
    return {"value": {"token": token, "misfits": reasons, "shares": shares}}
