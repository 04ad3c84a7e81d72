"""Messages to and from one worker: inputs go there, outcomes and events come back, and all that comes is checked."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from cfbench.execution import Outcome, Status, StoreError, Task, answers_in, read_outcome
from cfbench.model import EpochReport
from cfbench_dask import worker_session
from cfbench_dask.file_transfer import FileTransfer

_SHOWN = 300  # characters of an error
_LONGEST_EVENT, _LONGEST_TAIL = 500, 2000  # characters of a text
_MISSING = "No module named 'cfbench"  # Dask wraps what is raised while it unpacks a function
_OUTPUT = ("answers/", "saved/")


class WorkerGoneError(Exception):
    """The worker, or its session, is not there any more."""


class WorkerFaultError(Exception):
    """The worker is there and does not do what it should; the text completes "worker X ..."."""


@dataclass(frozen=True, eq=False)
class Rpc:
    """Calls of :mod:`cfbench_dask.worker_session` on behalf of one run; from any thread.

    Attributes:
        client: the connection to the cluster.
        session: names the run.
    """

    client: Client
    session: str
    _futures: dict[str, tuple[str, Future]] = field(default_factory=dict)

    def open_session(self, address: str, models: Iterable[tuple[str, str]], token_file: str) -> dict[str, Any]:
        """Open the run's session on a worker; return its reply: ``token``, ``installed``, ``visible``."""
        return _facts(self._now(address, worker_session.open_session, json.dumps(list(models)), token_file))

    def send_inputs(self, address: str, token: str, folder: Path, transfer: FileTransfer) -> None:
        """Send the evaluation inputs of a split to a worker."""
        files, position = json.dumps(transfer.to_json()), 0
        while position == 0 or position < transfer.size:
            piece = transfer.read(folder, position)
            _facts(self._now(address, worker_session.store, token, folder.name, files, position, piece))
            position += len(piece)
            if not piece:
                return

    def run_cell(self, address: str, token: str, task: Task, split: str) -> Outcome:
        """Run a task on the inputs of ``split`` that a worker has stored, and fetch what comes of it."""
        facts = _facts(self._in_turn(address, worker_session.run_cell, token, json.dumps(asdict(task)), split))
        try:
            reader = OutcomeReader(task, facts)
            files = json.dumps(reader.transfer.to_json())
            while not reader.complete:
                reader.take(self._now(address, worker_session.fetch, token, task.name, files, reader.received))
            return reader.outcome()
        except ValueError as error:
            raise WorkerFaultError(f"sent what is no answer: {error}") from error

    def everywhere(self, function: Callable[..., Any], *arguments: str, addresses: Iterable[str]) -> None:
        """Call a function on several workers at once, whatever they do; those that have gone are passed over."""
        if workers := list(addresses):
            self.client.run(function, self.session, *arguments, workers=workers, on_error="ignore")

    def _now(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on a worker at once: it may be busy for hours, with the work of others too."""
        with _translated_errors():
            replies = self.client.run(function, self.session, *arguments, workers=[address])
        if address not in replies:
            raise WorkerGoneError("it did not answer")
        return replies[address]

    def _in_turn(self, address: str, function: Callable[..., Any], *arguments: str) -> Any:
        """Call a function when it is its turn among the worker's tasks, on this very worker or nowhere."""
        future = self.client.submit(
            function,
            self.session,
            *arguments,
            key=f"cfbench-{uuid.uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        self._futures[future.key] = (address, future)
        try:
            with _translated_errors():
                return future.result()
        finally:
            del self._futures[future.key]
            future.release()

    def cancel(self, address: str) -> None:
        """Stop waiting for what runs on a worker."""
        futures = [future for at, future in list(self._futures.values()) if at == address]
        self.client.cancel(futures)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Tell workers that have gone from those that do not work; what is raised on a worker is raised here."""
    try:
        yield
    except (KilledWorker, CancelledError, OSError) as error:
        raise WorkerGoneError(str(error)) from error
    except Exception as error:
        reason = f"raised {type(error).__name__}: {str(error)[:_SHOWN]}"
        raise WorkerFaultError(f"{reason}; install cfbench-dask there" if _MISSING in reason else reason) from error


def parsed(reply: object) -> dict[str, Any]:
    """Parse a worker's reply; raises ValueError where it is no JSON object."""
    if not isinstance(reply, str):
        raise ValueError(f"it answered with a {type(reply).__name__}")
    try:
        facts = json.loads(reply)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(facts, dict):
        raise ValueError(f"it answered with a {type(facts).__name__}")
    return facts


def _facts(reply: object) -> dict[str, Any]:
    """Parse a worker's reply; raises what it reports of itself."""
    try:
        facts = parsed(reply)
    except ValueError as error:
        raise WorkerFaultError(f"sent what is no answer: {error}") from error
    if "gone" in facts:
        raise WorkerGoneError(str(facts["gone"])[:_SHOWN])
    if "wrong" in facts:
        raise WorkerFaultError(str(facts["wrong"])[:_SHOWN])
    return facts


class OutcomeReader:
    """Receives the files of one cell, piece by piece, in the task's output folder, and reads its outcome from them."""

    def __init__(self, task: Task, facts: Mapping[str, Any]) -> None:
        """Make room; raises ValueError where ``facts`` are not those of a cell, StoreError where there is no room."""
        self.task, self.facts = task, facts
        self.transfer = FileTransfer.from_json(facts.get("files"))
        if not all(name == "log" or name.startswith(_OUTPUT) for name, _ in self.transfer.files):
            raise ValueError("a cell's answers hold other files than answers")
        self.received = 0
        self._root = Path(task.folder)
        with self._room():
            shutil.rmtree(self._root, ignore_errors=True)
            self._root.mkdir()
            self.transfer.create(self._root)

    @property
    def complete(self) -> bool:
        """Whether all pieces are there."""
        return self.received >= self.transfer.size

    def take(self, piece: object) -> None:
        """Write the next piece; raises ValueError where it is none."""
        if not isinstance(piece, bytes) or not 0 < len(piece) <= self.transfer.size - self.received:
            raise ValueError("its answers came to an end too early")
        with self._room():
            self.transfer.write(self._root, self.received, piece)
        self.received += len(piece)

    def outcome(self) -> Outcome:
        """Read what was received, by the same checks as the output of a local process; raises ValueError."""
        if not self.transfer.intact(self._root):
            raise ValueError("its answers arrived damaged")
        if (self._root / "log").is_file():
            (self._root / "log").replace(self.task.log)
        status = self.facts.get("status")
        known: tuple[Status, ...] = get_args(Status)
        if status not in known or status == "skipped":
            raise ValueError(f"it reported a cell that ended as {str(status)[:_LONGEST_TAIL]!r}")
        # A local process reports success or failure alone; its supervisor finds the other statuses.
        facts = {key: self.facts.get(key) for key in ("reason", "cost", "losses", "versions")}
        facts |= {"answers": self.facts.get("answers"), "status": "ok"} if status == "ok" else {"status": "failed"}
        answers_in(self.task).mkdir(exist_ok=True)
        (answers_in(self.task) / "outcome.json").write_text(json.dumps({"answers": None, **facts}))
        try:
            outcome = read_outcome(self.task)
        except MemoryError as error:
            raise ValueError("its answers claim more memory than there is") from error
        if outcome is None or not isinstance(outcome.reason, str) or outcome.reason != facts["reason"]:
            raise ValueError("its answers cannot be read" if outcome is None else str(outcome.reason))
        if status == "ok":
            return outcome
        return replace(outcome, status=status, log_tail=str(self.facts.get("log_tail", ""))[:_LONGEST_TAIL])

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write {error.filename or self.task.folder}: {error.strerror}; free the disk, or set TMPDIR or "
                "--workspace to a larger one"
            ) from error


def events_in(message: object, session: str) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """Yield worker, task, method of :class:`RunEvents` and arguments out of a message as a scheduler passes it on.

    Messages of other runs, and what is no event, are dropped: anybody can write to the topic.
    """
    match message:
        case (_, {"session": found, "worker": str(worker), "events": list() | tuple() as events}) if found == session:
            for event in events:
                match event:
                    case [str(task), str(kind), list() | tuple() as arguments]:
                        if (checked := _arguments(kind, arguments)) is not None:
                            yield worker, task, kind, checked


def _arguments(kind: str, arguments: Any) -> tuple[Any, ...] | None:
    """Return the arguments of an event, None where they are something else."""
    match kind, [*arguments]:
        case (("cell_phase" | "note"), [str(text)]):
            return (text[:_LONGEST_EVENT],)
        case "cell_usage", [int() | float() as seconds, int(size)]:
            return (seconds, size)
        case (
            "cell_epoch",
            [int(epoch), int(epochs), (int() | float() | None) as train, (int() | float() | None) as validation],
        ):
            return (EpochReport(epoch, epochs, train, validation),)
    return None
