"""Calls of one worker: inputs go there, outcomes and events come back, and all that comes is checked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from numbers import Real
from pathlib import Path
from typing import Any, get_args

from distributed import CancelledError, Client, KilledWorker, wait

from cfbench.execution import Outcome, Status, Task, most_bytes, read_outcome
from cfbench.model import EpochReport
from cfbench_dask import worker_session
from cfbench_dask.file_transfer import PIECE, piece_of, unpack
from cfbench_dask.worker_session import Need

_SHOWN = 300  # characters of an error
_LONGEST_EVENT, _LONGEST_TAIL = 500, 2000  # characters of a text
_LONGEST_NAME, _MOST_NAMES = 30, 10  # of protections
_MOST = 1 << 63  # a number that displays can count with
_DIRECTORY = 64 << 20  # bytes of what an archive holds beside files: the names of the most that a model may save
_ATTEMPTS = 3  # to reach a worker that the scheduler has, and this run has not
_LOOK = 1.0  # seconds between looks at whether a result is still wanted, and between attempts
_SILENT = "has not answered yet"
_UNSEEN = "does not see the run's workspace; name one by --workspace that it does"


class WorkerGoneError(Exception):
    """The worker, or its session, is not there any more."""


class WorkerFaultError(Exception):
    """The worker is there and does not do what it should; the text completes "worker X ..."."""


@dataclass(eq=False)
class PoolWorker:
    """One worker of the cluster, as a run knows it, and the calls of :mod:`cfbench_dask.worker_session` there.

    Attributes:
        client: the connection to the cluster.
        session: names the run.
        address: where the scheduler knows it.
        threads: how many tasks Dask gives it at a time.
        since: when it was first seen, by the monotonic clock.
        token: the token of the run's session there; empty while there is none.
        unusable: why no cell is given to it; empty where cells are.
        misfits: why it must not run certain cells, by what these need; an empty text where it may.
        shares: whether it reads the run's workspace by the same path.
        running: the tasks that it runs, by name.
        stored: the splits whose inputs it has.
        sending: held while inputs are sent to it.
    """

    client: Client
    session: str
    address: str
    threads: int
    since: float = field(default_factory=time.monotonic)
    token: str = ""
    unusable: str = _SILENT
    misfits: Mapping[Need, str] = field(default_factory=dict)
    shares: bool = False
    running: dict[str, Task] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    sending: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answered(self) -> bool:
        """Whether it is known what it can do."""
        return self.unusable != _SILENT

    def misfit(self, need: Need) -> str:
        """Say why a cell cannot be given to it, an empty text where it can."""
        return self.unusable or self.misfits[need]

    def places(self, wanted: int | None, threads_per_cell: int) -> int:
        """Return how many cells it runs at a time: no more than Dask would give it."""
        return max(1, min(wanted or self.threads // threads_per_cell, self.threads))

    def open(self, needs: Sequence[Need], token_file: Path, wanted: Callable[[], bool], *, must_share: bool) -> None:
        """Open the run's session, and learn what the worker has; it is given up where no attempt reaches it."""
        versions, failures = {name: metadata.version(name) for name in ("cfbench", "cfbench-dask")}, 0
        while wanted() and not self.answered:
            try:
                match self._call("open", versions, needs, str(token_file)):
                    case {"token": str(token), "misfits": [*reasons], "shares": shares} if len(reasons) == len(needs):
                        self.token, self.shares = token, shares is True
                        self.misfits = {need: str(one)[:_SHOWN] for need, one in zip(needs, reasons, strict=True)}
                        self.unusable = _UNSEEN if must_share and not self.shares else ""
                    case _:
                        self.unusable = "did not say what it has"
            except WorkerFaultError as error:
                self.unusable = str(error)
            except WorkerGoneError as error:
                time.sleep(_LOOK)
                failures += 1
                self.unusable = f"cannot be reached: {error}" if failures >= _ATTEMPTS else _SILENT

    def send(self, archive: Path, begin: Callable[[], None]) -> None:
        """Send an archive with the evaluation inputs of a split, named like it, unless it is there."""
        with self.sending:
            if archive.stem not in self.stored:
                begin()
                size = archive.stat().st_size
                for position in range(0, size, PIECE):
                    self._call("store", archive.stem, position, piece_of(archive, position), size)
                self.stored.add(archive.stem)

    def run(self, task: Task, split: str, wanted: Callable[[], bool]) -> Outcome:
        """Run a task on the inputs of ``split`` that the worker has stored, and fetch what comes of it.

        It takes its turn among the worker's tasks, on this very worker or nowhere.
        """
        arguments = (self.session, self.token, asdict(task), split)
        future = self.client.submit(worker_session.run_cell, *arguments, workers=[self.address], pure=False)
        try:
            with _translated_errors(), self.client.as_current():
                while wanted() and not future.done():
                    with suppress(TimeoutError):  # of waiting only: threads that fetch results share one request
                        wait(future, _LOOK)
                reply = future.result() if future.done() else {"gone": "it has left"}
        finally:
            future.release()
        try:
            return received(task, value_in(reply), partial(self._call, "fetch", task.name))
        except ValueError as error:
            raise WorkerFaultError(f"sent what is no answer: {error}") from error

    def _call(self, method: str, *arguments: Any) -> Any:
        """Call a method there at once: the worker may be busy for hours, with the work of others too."""
        call = (worker_session.call, self.session, self.token, method, *arguments)
        with _translated_errors():
            replies = self.client.run(*call, workers=[self.address])
        return value_in(replies.get(self.address, {"gone": "it did not answer"}))


def need_of(task: Task) -> Need:
    """Return what a task needs to be installed."""
    return (task.distribution, task.import_path, task.version, task.code)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Tell workers that have gone from those that do not work; what is raised on a worker is raised here."""
    try:
        yield
    except (KilledWorker, CancelledError, OSError) as error:
        raise WorkerGoneError(str(error)) from error
    except Exception as error:
        reason = f"raised {type(error).__name__}: {str(error)[:_SHOWN]}"
        # Dask wraps what is raised while it unpacks a function.
        hint = "; install cfbench-dask there" if "No module named 'cfbench" in reason else ""
        raise WorkerFaultError(reason + hint) from error


def value_in(reply: object) -> Any:
    """Return what a worker's reply holds; raises what it reports of itself."""
    match reply:
        case {"value": value}:
            return value
        case {"gone": reason}:
            raise WorkerGoneError(str(reason)[:_SHOWN])
        case {"wrong": reason}:
            raise WorkerFaultError(str(reason)[:_SHOWN])
    raise WorkerFaultError(f"sent what is no answer: it answered with a {type(reply).__name__}")


def received(task: Task, facts: object, fetch: Callable[[int], object]) -> Outcome:
    """Receive a cell's files in the task's output folder, piece by piece, and read its outcome from them.

    Checks are those of the output of a local process: raises ValueError where something is no answer, OSError where
    there is no room.
    """
    if not isinstance(facts, dict) or not isinstance(size := facts.get("size"), int):
        raise ValueError("it described no cell")
    most, archive, output = most_bytes(task), Path(f"{task.folder}.zip"), Path(task.folder)
    if size > sum(most.values()) + _DIRECTORY:
        raise ValueError(f"its answers have {size:,} bytes, more than any to this cell's questions")
    with archive.open("wb") as file:
        while (missing := size - file.tell()) > 0:
            piece = fetch(file.tell())
            if not isinstance(piece, bytes) or not 0 < len(piece) <= min(missing, PIECE):
                raise ValueError("its answers came in pieces that do not fit")
            file.write(piece)
    unpack(archive, output, {"log": most["log"], "answers/.+": most["answers"], "saved/.+": most["saved"]})
    if (output / "log").exists():
        (output / "log").replace(task.log)
    if (status := facts.get("status")) not in get_args(Status) or status == "skipped":
        raise ValueError(f"it reported a cell that ended as {str(status)[:_LONGEST_TAIL]!r}")
    outcome = read_outcome(task)
    # The file knows of success or failure alone; a supervisor finds the other statuses.
    if outcome is None or outcome.reason != facts.get("reason") or (outcome.status == "ok") != (status == "ok"):
        raise ValueError((outcome and outcome.reason) or "its answers cannot be read")
    tail, stated = str(facts.get("log_tail", ""))[:_LONGEST_TAIL], facts.get("protections", ())
    held = tuple(str(name)[:_LONGEST_NAME] for name in stated[:_MOST_NAMES]) if isinstance(stated, tuple | list) else ()
    return replace(outcome, status=status, log_tail=tail, protections=held)


def events_in(message: object, session: str) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """Yield worker, task, method of :class:`RunEvents` and arguments out of a message as a scheduler passes it on.

    Messages of other runs, and what is no event, are dropped: anybody can write to the topic.
    """
    match message:
        case (_, {"session": found, "worker": str(worker), "events": [*events]}) if found == session:
            for event in events:
                match event:
                    case [str(task), "cell_phase" | "note" as kind, [str(text)]]:
                        yield worker, task, kind, (text[:_LONGEST_EVENT],)
                    case [str(task), "cell_usage", [Real() as seconds, int(size)]] if size < _MOST:
                        yield worker, task, "cell_usage", (seconds, size)
                    case [
                        str(task),
                        "cell_epoch",
                        [int(epoch), int(epochs), Real() | None, Real() | None] as values,
                    ] if max(abs(epoch), abs(epochs)) < _MOST:
                        yield worker, task, "cell_epoch", (EpochReport(*values),)
