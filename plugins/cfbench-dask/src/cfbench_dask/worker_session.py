"""The worker's side of a run: a session with its own supervisor, and the functions that the run calls through Dask.

These functions take and return plain text and bytes only, so that neither side unpickles anything of the other.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, replace
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from distributed import Worker, get_worker

from cfbench.execution import Outcome, Registry, RunEvents, Supervisor, Task, answers_in, saved_in
from cfbench.model import EpochReport
from cfbench_dask.file_transfer import FileTransfer

TOPIC = "cfbench"
"""The topic of all events; one for all runs, since a scheduler remembers every topic."""

LEASE = 60.0
"""Seconds after which a session ends that its run has not renewed: the run was killed, or cannot reach the worker."""

_BETWEEN_EVENTS = 0.25  # seconds; the scheduler passes every event on
_LOOK = 1.0  # seconds between looks at the lease where nothing runs
_CLOSING = 20.0  # seconds; a supervisor gives its servers five each
_LARGEST_TOKEN = 100  # bytes
_COMPARED = ("cfbench", "cfbench-dask")


@dataclass(frozen=True)
class Installed:
    """What is installed on one machine, as far as a cell's answers may depend on it.

    Attributes:
        versions: versions of cfbench and of this distribution.
        models: version and source digest by distribution and class of a model.
    """

    versions: Mapping[str, str]
    models: Mapping[tuple[str, str], tuple[str, str]]

    @classmethod
    def here(cls, models: Iterable[tuple[str, str]] = ()) -> Self:
        """Look up what is installed here of ``models``, pairs of distribution and ``package.module:Class``."""
        wanted = set(models)
        plugins = Registry.discover().plugins("model") if wanted else []
        found = {
            (plugin.distribution, plugin.value): (plugin.version, plugin.code)
            for plugin in plugins
            if (plugin.distribution, plugin.value) in wanted and not plugin.problem
        }
        return cls({name: metadata.version(name) for name in _COMPARED}, found)

    @classmethod
    def from_json(cls, facts: Any) -> Self:
        """Read what :meth:`to_json` gave elsewhere; raises ValueError where it is anything else."""
        try:
            versions = {str(name): str(version) for name, version in facts["versions"].items()}
            rows = [[str(text) for text in row] for row in facts["models"]]
            return cls(
                versions, {(distribution, model): (version, code) for distribution, model, version, code in rows}
            )
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(f"no list of what is installed: {error}") from error

    def to_json(self) -> Mapping[str, Any]:
        """Return the versions as JSON values."""
        return {"versions": dict(self.versions), "models": [[*key, *found] for key, found in self.models.items()]}

    def mismatch(self, task: Task, here: Installed) -> str:
        """Say why a task that was planned ``here`` must not run there; an empty text where it may."""
        for name, version in here.versions.items():
            if self.versions.get(name) != version:
                return f"has {name} {self.versions.get(name, 'not')}, here is {version}"
        found = self.models.get((task.distribution, task.import_path))
        if found is None:
            return f"has no usable {task.distribution}"
        version, code = found
        if version != task.version:
            return f"has {task.distribution} {version}, here is {task.version}"
        if code != task.code:
            other = "with other sources, or other versions of what it requires, than here"
            return f"has {task.distribution} {version} {other}"
        return ""


class WorkerSession:
    """One run's cells on this worker, each in a process of its own, until the session is closed or its lease ends.

    One thread starts and awaits them all, because fork servers end with the thread that started them. They are kept
    from cell to cell, so that a model's libraries are imported once.
    """

    def __init__(self, root: Path, token: str, publish: Callable[[list[Any]], None]) -> None:
        """Open a session.

        Args:
            root: a folder that goes with the session; made here.
            token: names the session, which a worker that was restarted does not have.
            publish: takes lists of events, ``[task, kind, arguments]`` each.
        """
        self.root, self.token = root, token
        for name in ("inputs", "cells"):
            (root / name).mkdir(parents=True)
        self._events = _LatestEvents(publish)
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._replies: dict[str, SimpleQueue[Outcome]] = {}
        self._closing = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="cfbench-session", daemon=True)
        self._thread.start()

    @property
    def open(self) -> bool:
        """Whether the session still runs cells."""
        return self._thread.is_alive()

    def renew(self) -> None:
        """Begin the lease anew."""
        self._renewed = time.monotonic()

    def inputs(self, split: str) -> Path:
        """Return the folder of a split's evaluation inputs."""
        return self.root / "inputs" / split

    def output(self, name: str) -> Path:
        """Return the folder of a cell's output."""
        return self.root / "cells" / name

    def run(self, task: Task) -> Outcome | None:
        """Run a task whose output and log are paths of another machine; None where the session was closed."""
        output = self.output(task.name)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        reply = self._replies[task.name] = SimpleQueue()
        protected = (str(self.root), *task.protected)
        self._inbox.put(replace(task, folder=str(output), log=f"{output}.log", protected=protected))
        while self.open:
            try:
                return reply.get(timeout=_LOOK)
            except Empty:
                continue
        return None

    def close(self) -> None:
        """End all cells with all that they started, and remove the session's files; wait for it."""
        self._closing.set()
        self._inbox.put(None)
        self._thread.join(_CLOSING)

    def _serve(self) -> None:
        supervisor = Supervisor(self._events)
        try:
            while not self._closing.is_set() and time.monotonic() - self._renewed < LEASE:
                try:
                    while (task := self._inbox.get(timeout=0.0 if supervisor.running else _LOOK)) is not None:
                        supervisor.start(task)
                except Empty:
                    pass
                for outcome in supervisor.wait() if supervisor.running else ():
                    self._replies.pop(outcome.task.name).put(outcome)
                self._events.publish_if_due()
        finally:
            supervisor.close()
            shutil.rmtree(self.root, ignore_errors=True)


class _LatestEvents(RunEvents):
    """The latest event of each kind by cell, and all notes, published a few times a second at most."""

    def __init__(self, publish: Callable[[list[Any]], None]) -> None:
        self._publish = publish
        self._published = 0.0
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

    def publish_if_due(self) -> None:
        now = time.monotonic()
        if (self._latest or self._notes) and now - self._published >= _BETWEEN_EVENTS:
            self._published = now
            events: list[Any] = [[*key, list(arguments)] for key, arguments in self._latest.items()]
            self._publish(events + [["", "note", [text]] for text in self._notes])
            self._latest.clear()
            self._notes.clear()


_sessions: dict[tuple[str, str], WorkerSession] = {}  # by worker, of which a process may hold several, and run
_lock = threading.Lock()


async def open_session(session: str, models: str, token_file: str, dask_worker: Worker) -> str:
    """Open a session; return its token, what is installed here, and the content of ``token_file``, if it is visible."""
    return await asyncio.to_thread(_open, session, models, token_file, dask_worker)


def _open(session: str, models: str, token_file: str, worker: Worker) -> str:
    installed = Installed.here((str(distribution), str(model)) for distribution, model in json.loads(models))
    token = uuid.uuid4().hex
    root = Path(worker.local_directory) / f"cfbench-{token}"

    def publish(events: list[Any]) -> None:
        worker.log_event(TOPIC, {"session": session, "worker": worker.address, "events": events})

    try:
        opened = WorkerSession(root, token, publish)
    except OSError as error:
        return json.dumps({"wrong": f"cannot make {root}: {error.strerror or error}"})
    with _lock:
        for key in [key for key, one in _sessions.items() if not one.open]:
            del _sessions[key]
        old, _sessions[worker.id, session] = _sessions.get((worker.id, session)), opened
    if old is not None:
        old.close()
    try:
        with Path(token_file).open("rb") as file:
            visible = file.read(_LARGEST_TOKEN).decode("ascii", "replace")
    except OSError:
        visible = ""
    return json.dumps({"token": token, "installed": installed.to_json(), "visible": visible})


def store(session: str, token: str, split: str, files: str, position: int, piece: bytes, dask_worker: Worker) -> str:
    """Store a piece of a split's evaluation inputs; return what went wrong, if anything did."""
    mine = _session(dask_worker, session, token)
    if mine is None:
        return json.dumps({"gone": "it no longer works for this run"})
    try:
        folder, transfer = mine.inputs(split), FileTransfer.from_json(json.loads(files))
        if position == 0:
            shutil.rmtree(folder, ignore_errors=True)
            transfer.create(folder)
        transfer.write(folder, position, piece)
        if position + len(piece) >= transfer.size and not transfer.intact(folder):
            return json.dumps({"wrong": "the data arrived damaged"})
    except OSError as error:
        return json.dumps({"wrong": f"cannot keep the data in {mine.root}: {error.strerror or error}"})
    return json.dumps({})


def run_cell(session: str, token: str, task: str, split: str) -> str:
    """Run a task on the inputs of ``split`` stored here, on those that it names itself where ``split`` is empty.

    The only one of these functions that Dask runs as a task: it takes its turn, and a thread, among the worker's
    others. Returns the outcome without its arrays; :func:`fetch` gives the files.
    """
    mine = _session(get_worker(), session, token)
    if mine is None:
        return json.dumps({"gone": "it no longer works for this run"})
    fields = json.loads(task)
    if split:
        fields["inputs"] = str(mine.inputs(split))
    try:
        outcome = mine.run(Task.of(fields))
        return json.dumps({"gone": "it was told to end"} if outcome is None else _described(outcome))
    except OSError as error:
        return json.dumps({"wrong": f"cannot work in {mine.root}: {error.strerror or error}"})


def fetch(session: str, token: str, name: str, files: str, position: int, dask_worker: Worker) -> bytes:
    """Return a piece of a cell's output, which is removed here with its last piece; nothing where it is gone."""
    mine = _session(dask_worker, session, token)
    if mine is None:
        return b""
    transfer, output = FileTransfer.from_json(json.loads(files)), mine.output(name)
    try:
        piece = transfer.read(output, position)
    except OSError:  # a session that closes takes its files along
        return b""
    if position + len(piece) >= transfer.size:
        shutil.rmtree(output, ignore_errors=True)
    return piece


def forget(session: str, split: str, dask_worker: Worker) -> None:
    """Remove the inputs of a split that no cell needs any more."""
    if mine := _sessions.get((dask_worker.id, session)):
        shutil.rmtree(mine.inputs(split), ignore_errors=True)


def renew(session: str, dask_worker: Worker) -> None:
    """Begin the session's lease anew."""
    if mine := _sessions.get((dask_worker.id, session)):
        mine.renew()


async def close_session(session: str, dask_worker: Worker) -> None:
    """End what is left of a run here."""
    with _lock:
        mine = _sessions.pop((dask_worker.id, session), None)
    if mine is not None:
        await asyncio.to_thread(mine.close)


def _session(worker: Worker, session: str, token: str) -> WorkerSession | None:
    """Return the run's session, unless it is another than the caller means: a worker may have been restarted."""
    mine = _sessions.get((worker.id, session))
    return mine if mine is not None and mine.token == token else None


def _described(outcome: Outcome) -> Mapping[str, Any]:
    """Describe an outcome as JSON, and leave its log beside its answers and saved model, and nothing else."""
    task = outcome.task
    output = Path(task.folder)
    wanted = {answers_in(task).name, saved_in(task).name} if outcome.status == "ok" else set()
    for entry in output.iterdir():
        if entry.name not in wanted and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name not in wanted:
            entry.unlink(missing_ok=True)
    shutil.move(task.log, output / "log")
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "answers": [] if outcome.output is None else list(outcome.output.arrays()),
        "cost": asdict(outcome.cost),
        "losses": [asdict(epoch) for epoch in outcome.losses],
        "versions": dict(outcome.versions),
        "log_tail": outcome.log_tail,
        "files": FileTransfer.of(output).to_json(),
    }
