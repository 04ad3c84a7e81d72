"""What is said to one worker: what it needs goes there, what came of a task comes back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

from cfbench.execution.task import Outcome, Task
from cfbench_dask import errands
from cfbench_dask.inventory import Inventory
from cfbench_dask.parcel import Parcel
from cfbench_dask.reception import Reception, facts_of
from cfbench_dask.worker import KnownWorker

_SHOWN = 300  # characters of an error
_MISSING = "No module named 'cfbench"  # Dask wraps what is raised while it unpacks a function


class WorkerGoneError(Exception):
    """The worker, or its post, is not there any more."""


class WorkerFaultError(Exception):
    """The worker is there and does not do what it should; says what it does, as in "worker X ..."."""


@dataclass(frozen=True, eq=False)
class Carriage:
    """Talks to workers on behalf of one run.

    Attributes:
        client: the connection to the cluster.
        session: names the run.
    """

    client: Client
    session: str

    async def add_cold_entities(self, worker: KnownWorker, models: Iterable[tuple[str, str]], token_file: str) -> None:
        """Open a post on a worker, and learn what it has and whether it reads ``token_file``."""
        reply = await self._at_once(worker, errands.add_cold_entities, json.dumps(list(models)), token_file)
        facts = _checked(reply)
        try:
            worker.has = Inventory.heard(facts.get("has"))
        except ValueError as error:
            raise WorkerFaultError(f"did not say what it has installed: {error}") from error
        worker.sees = facts.get("seen") == self.session
        worker.post = str(facts.get("post"))

    async def send_questions(self, worker: KnownWorker, questions: Path, parcel: Parcel) -> None:
        """Send the files of a split to a worker."""
        described, position = json.dumps(parcel.told()), 0
        while position == 0 or position < parcel.size:
            piece = parcel.piece(questions, position)
            said = (worker.post, questions.name, described, position, piece)
            _checked(await self._at_once(worker, errands.store, *said))
            position += len(piece)
            if not piece:
                return

    async def carry_out(self, worker: KnownWorker, task: Task, split: str) -> Outcome:
        """Have a task carried out on the questions of ``split`` that the worker keeps; return what came of it."""
        said = (worker.post, json.dumps(asdict(task)), split)
        facts = _checked(await self._in_turn(worker, errands.carry_out, *said))
        try:
            reception = Reception(task, facts)
            described = json.dumps(reception.parcel.told())
            while not reception.complete:
                said = (worker.post, task.name, described)
                reception.take(await self._at_once(worker, errands.fetch, *said, reception.received))
            return reception.outcome()
        except ValueError as error:
            raise WorkerFaultError(f"sent what is no answer: {error}") from error

    async def everywhere(self, function: Callable[..., Any], *arguments: str, among: Iterable[str]) -> None:
        """Call a function on workers at once, whatever they do; those that have gone are passed over."""
        addresses = list(among)
        if addresses:
            await self.client.run(function, self.session, *arguments, workers=addresses, on_error="ignore")

    async def _at_once(self, worker: KnownWorker, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on a worker, whatever else it does: it may be busy for hours, with the work of others too."""
        with _translating():
            replies = await self.client.run(function, self.session, *arguments, workers=[worker.address])
        if worker.address not in replies:
            raise WorkerGoneError("it did not answer")
        return replies[worker.address]

    async def _in_turn(self, worker: KnownWorker, function: Callable[..., Any], *arguments: str) -> Any:
        """Have a function called when it is its turn among the worker's tasks, on this very worker or nowhere."""
        future = self.client.submit(
            function,
            self.session,
            *arguments,
            key=f"cfbench-{uuid.uuid4().hex}",
            workers=[worker.address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        try:
            with _translating():
                return await future
        finally:
            future.release()


@contextmanager
def _translating() -> Iterator[None]:
    """Tell workers that have gone from those that do not what they should; what was raised there is raised here."""
    try:
        yield
    except (KilledWorker, CancelledError, OSError) as error:
        raise WorkerGoneError(str(error)) from error
    except Exception as error:
        told = f"raised {type(error).__name__}: {str(error)[:_SHOWN]}"
        raise WorkerFaultError(f"{told}; install cfbench-dask there" if _MISSING in told else told) from error


def _checked(reply: object) -> dict[str, Any]:
    """Read a worker's reply; raises what it says of itself."""
    try:
        facts = facts_of(reply)
    except ValueError as error:
        raise WorkerFaultError(f"sent what is no answer: {error}") from error
    if "gone" in facts:
        raise WorkerGoneError(str(facts["gone"])[:_SHOWN])
    if "wrong" in facts:
        raise WorkerFaultError(str(facts["wrong"])[:_SHOWN])
    return facts
