"""The pool of a cluster's workers: the run's own thread assigns cells to them, a thread for each cell awaits it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias

from distributed import Client

from cfbench.execution import Outcome, RunError, Task, TaskQueue, remove_folder, room
from cfbench_dask import worker_session
from cfbench_dask.file_transfer import pack
from cfbench_dask.rpc import PoolWorker, WorkerFaultError, WorkerGoneError, events_in, need_of
from cfbench_dask.worker_session import Need

_LOOK = 0.5  # seconds between looks at which workers are there
_RENEW = 10.0  # seconds between renewals of the workers' leases, which last six times as long
_GOODBYE, _LAST_WORDS = 30.0, 2.0  # seconds for workers to end what they run, and then for threads that await them
_MOST_EVENTS = 1000  # events that wait for the run's thread; where it is busy, later ones are dropped
_TO_ANSWER = 60.0  # seconds that a new worker may take to import what it needs, before patience begins to run out
_SHOWN = 3  # workers that a reason names

_SENDING = (
    "not every worker sees the run's workspace: to those that do not, data are sent through the scheduler, "
    "once per split; --workspace can name a folder that all see"
)

_Message: TypeAlias = Callable[[], Iterable[Outcome] | None]


@dataclass(eq=False)
class WorkerPool:
    """The workers of a cluster at work for one run.

    The state changes in the thread that iterates over :meth:`outcomes`, since the queue of tasks belongs to it; other
    threads wait for workers, note what they learn of their own one, and put messages into the inbox.

    Attributes:
        client: the connection to the cluster.
        session: names the run.
        policy: how long cells wait for workers.
        tasks: the tasks of the run.
        queue: where they are acquired.
        folder: the run's own, for what is sent and received.
        cells_per_worker: how many cells run on a worker at a time; where None, as many as its threads allow.
        shared: whether workers read the run's workspace by the same path; where None, each is tried.
    """

    client: Client
    session: str
    policy: WaitPolicy
    tasks: Sequence[Task]
    queue: TaskQueue
    folder: Path
    cells_per_worker: int | None = None
    shared: bool | None = None

    def __post_init__(self) -> None:
        self._waiting = list(self.tasks)  # those that were acquired and lost with their worker come first
        self._lost_by: dict[str, str] = {}
        self._open = {task.name: task for task in self.tasks}
        self._needs = sorted({need_of(task) for task in self.tasks})
        self._threads = max((task.threads for task in self.tasks), default=1)
        self._workers: dict[str, PoolWorker] = {}
        self._inbox: SimpleQueue[_Message] = SimpleQueue()
        self._packing = threading.Lock()
        self._closed = threading.Event()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes until every task is concluded or refused; where an error ends that, first those that wait.

        Raises RunError where the workers have gone or the scheduler has, StoreError where there is no room.
        """
        self.client.subscribe_topic(worker_session.TOPIC, self._on_event)
        threading.Thread(target=self._renew_leases, daemon=True).start()
        looked = 0.0
        try:
            with room(self.folder):
                (self.folder / "seen").write_text(self.session, "utf-8")
            while self._open:
                # What a worker has finished is taken first: it counts, also where the worker has left meanwhile.
                if self._inbox.empty() and time.monotonic() - looked >= _LOOK:
                    looked = time.monotonic()
                    yield from self._look_for_workers()
                    yield from self._give_up_stuck()
                self._assign()
                with suppress(Empty):
                    yield from self._inbox.get(timeout=_LOOK)() or ()
        except Exception:
            while not self._inbox.empty():
                with suppress(Exception):
                    yield from self._inbox.get()() or ()
            raise
        finally:
            self._close()

    # Workers come and go.

    def _look_for_workers(self) -> Iterator[Outcome]:
        """Compare the workers that the scheduler has with those known; it has gone where it does not say."""
        seconds = max(self.policy.patience, 30.0)  # a busy scheduler has not gone
        try:
            present = self.client.sync(self.client.scheduler.ncores, callback_timeout=seconds)
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"the Dask scheduler of {self.policy.cluster} has gone ({type(error).__name__}: {error}); "
                "finished cells are kept: the same command goes on from there when there is a scheduler again"
            ) from error
        for worker in [one for address, one in self._workers.items() if address not in present]:
            yield from self._lose(worker)
        for address, threads in present.items():
            if address not in self._workers:
                worker = self._workers[address] = PoolWorker(self.client, self.session, address, threads)
                self._in_background(worker, self._open_session)

    def _lose(self, worker: PoolWorker) -> Iterator[Outcome]:
        """Forget a worker that has gone; its cells are tried once more elsewhere, and are crashed the second time."""
        if self._workers.get(worker.address) is not worker:
            return
        del self._workers[worker.address]
        while worker.running:
            name, task = worker.running.popitem()  # the last one first
            before = self._lost_by.get(name)
            if before is None:
                self._lost_by[name] = worker.address
                self._waiting.insert(0, task)
                self.queue.events.note(
                    f"{task.label}: its worker {worker.address} has gone; the cell is tried once more elsewhere"
                )
            else:
                reason = f"its worker went away twice: {before}, then {worker.address}; the cell itself may be why"
                yield self._concluded(Outcome(task, "crashed", reason))

    def _give_up_stuck(self) -> Iterator[Outcome]:
        """Conclude the tasks that no worker can take, once patience with them has run out."""
        reasons = self.policy.given_up({need_of(task) for task in self._waiting}, self._workers.values())
        for task in [task for task in self._waiting if need_of(task) in reasons]:
            self._waiting.remove(task)
            reason = reasons[need_of(task)]
            if task.name in self._lost_by:
                reason = f"its worker {self._lost_by[task.name]} went away, and {reason}"
                yield self._concluded(Outcome(task, "crashed", reason))
            elif self._acquired(task):
                yield self._concluded(Outcome(task, "failed", reason))

    # Cells are assigned and concluded.

    def _assign(self) -> None:
        """Give every free place of a worker the first task that suits it: one lost elsewhere, else one that waits."""
        for worker in self._workers.values() if self._waiting else ():
            places = worker.places(self.cells_per_worker, self._threads)
            while len(worker.running) < places and (task := self._next_task(worker)) is not None:
                worker.running[task.name] = task
                self.queue.events.cell_phase(task, f"on {worker.address}")
                self._in_background(worker, self._run_cell, task)

    def _next_task(self, worker: PoolWorker) -> Task | None:
        for task in [task for task in self._waiting if not worker.misfit(need_of(task))]:
            self._waiting.remove(task)
            if task.name in self._lost_by or self._acquired(task):
                return task
        return None

    def _acquired(self, task: Task) -> bool:
        """Acquire a task that waits; one that is refused, which another run has, needs nothing more."""
        if self.queue.acquire(task):
            self.queue.events.cell_started(task)
            return True
        self._leave(task)
        return False

    def _leave(self, task: Task) -> None:
        """Note that a task needs nothing more; inputs that no task needs are removed from the workers."""
        del self._open[task.name]
        archive = self.folder / f"{Path(task.inputs).name}.zip"
        if archive.exists() and not any(task.inputs == other.inputs for other in self._open.values()):
            archive.unlink()
            for worker in self._workers.values():
                worker.stored.discard(archive.stem)
            self._everywhere("forget", archive.stem)

    def _arrived(self, worker: PoolWorker, outcome: Outcome, folder: Path) -> Iterator[Outcome]:
        """Take in what a worker has sent; of one that was lost meanwhile it is dropped, the task is others' now."""
        if (task := worker.running.pop(outcome.task.name, None)) is not None:
            for there, here in ((folder / "output", Path(task.folder)), (folder / "log", Path(task.log))):
                if there.exists():
                    with room(here):
                        remove_folder(here)
                        there.replace(here)
            yield self._concluded(replace(outcome, task=task))
        remove_folder(folder)

    def _concluded(self, outcome: Outcome) -> Outcome:
        self._leave(outcome.task)
        return outcome

    # What follows runs in threads of their own.

    def _in_background(self, worker: PoolWorker, work: Callable[..., _Message], *arguments: object) -> None:
        """Do work for a worker in a thread of its own; an error that it does not expect ends the run."""

        def attempt() -> None:
            try:
                message = work(worker, *arguments)
            except Exception as error:  # noqa: BLE001 - raised again in the run's own thread
                message = partial(self._failed, worker, error)
            self._inbox.put(message)

        threading.Thread(target=attempt, name=self.session, daemon=True).start()

    def _failed(self, worker: PoolWorker, error: Exception) -> None:
        if self._wanted(worker):  # else nobody waits for what has failed
            raise error

    def _wanted(self, worker: PoolWorker) -> bool:
        return self._workers.get(worker.address) is worker and not self._closed.is_set()

    def _open_session(self, worker: PoolWorker) -> _Message:
        wanted = partial(self._wanted, worker)
        worker.open(self._needs, self.folder / "seen", wanted, must_share=bool(self.shared))
        note = f"worker {worker.address} gets no cells: it {worker.unusable}"
        nothing = tuple  # which wakes the run's thread all the same
        return partial(self.queue.events.note, note) if worker.answered and worker.unusable else nothing

    def _run_cell(self, worker: PoolWorker, task: Task) -> _Message:
        """Have a task run by a worker, its inputs sent before where it does not see them."""
        with room(self.folder):
            # A folder of this attempt alone: one that comes late must not touch what another worker has sent.
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            attempt, split = replace(task, folder=str(folder / "output"), log=str(folder / "log")), ""
            try:
                if self.shared is False or not worker.shares:
                    archive = self._archive(task)
                    worker.send(archive, partial(self._event, "cell_phase", task, "sending data"))
                    split = archive.stem
                outcome = worker.run(attempt, split, partial(self._wanted, worker))
            except WorkerGoneError:
                remove_folder(folder)
                return partial(self._lose, worker)
            except WorkerFaultError as error:
                outcome = Outcome(task, "failed", f"worker {worker.address} {error}")
        return partial(self._arrived, worker, outcome, folder)

    def _archive(self, task: Task) -> Path:
        """Pack a task's inputs, for as long as tasks need them."""
        archive = self.folder / f"{Path(task.inputs).name}.zip"
        with self._packing:
            if not archive.exists():
                if self.shared is None:
                    self._inbox.put(partial(self.policy.note_once, _SENDING))
                pack(archive, {"": Path(task.inputs)})
        return archive

    def _on_event(self, message: object) -> None:
        """Pass on what a worker reports of its cells; called in the client's thread."""
        for address, name, kind, arguments in events_in(message, self.session):
            worker = self._workers.get(address)
            task = worker.running.get(name) if worker is not None else None
            if kind == "note" and worker is not None:
                self._inbox.put(partial(self.queue.events.note, *arguments))
            elif kind != "note" and task is not None:
                self._event(kind, task, *arguments)

    def _event(self, kind: str, task: Task, *arguments: object) -> None:
        if self._inbox.qsize() < _MOST_EVENTS:
            self._inbox.put(partial(getattr(self.queue.events, kind), task, *arguments))

    def _renew_leases(self) -> None:
        while not self._closed.wait(_RENEW):
            self._everywhere("renew")

    def _everywhere(self, method: str, *arguments: str, seconds: float | None = None) -> None:
        """Call a method wherever the run has a session or is opening one; wait for it so long, or not at all.

        Where it fails, the workers' leases end what it should have ended.
        """
        workers = [worker.address for worker in list(self._workers.values()) if worker.token or not worker.answered]
        call = (worker_session.call, self.session, "", method, *arguments)

        async def attempt() -> None:
            with suppress(Exception):
                await self.client.run(*call, workers=workers, on_error="ignore")

        if seconds is None:
            self.client.loop.add_callback(attempt)
        else:
            with suppress(Exception):
                self.client.sync(attempt, callback_timeout=seconds)

    def _close(self) -> None:
        """End all sessions, and with them what runs; a scheduler that has gone is not waited for."""
        self._closed.set()
        self._everywhere("close", seconds=_GOODBYE)
        until = time.monotonic() + _LAST_WORDS
        for thread in threading.enumerate():
            if thread.name == self.session:
                thread.join(max(0.0, until - time.monotonic()))


class WaitPolicy:
    """How long cells wait for a worker that can run them.

    Attributes:
        cluster: the cluster, as messages name it.
        patience: seconds.
    """

    def __init__(self, cluster: str, patience: float, note: Callable[[str], None]) -> None:
        """Begin to wait; ``note`` takes what is waited for, once each."""
        self.cluster, self.patience, self.note_once = cluster, patience, cache(note)
        self._begun = self._since = 0.0  # by the monotonic clock, while something is waited for

    def given_up(self, needs: Collection[Need], workers: Collection[PoolWorker]) -> Mapping[Need, str]:
        """Return what to give up, with the reason; empty while there is hope.

        Raises RunError where there is no worker that could take anything.
        """
        ready = [worker for worker in workers if worker.answered]
        lacking = {need: _lacking(need, ready) for need in needs if all(worker.misfit(need) for worker in ready)}
        stuck = {need: f"no worker can run it: {what}; install the same there" for need, what in lacking.items()}
        nobody = all(worker.unusable for worker in ready)
        now = time.monotonic()
        new = any(not worker.answered and now - worker.since < _TO_ANSWER for worker in workers)
        self._begun = self._begun or now
        self._since = now if new else self._since or now
        # New workers are waited for, but not one after another for ever.
        hope = (new or now - self._since < self.patience) and now - self._begun < self.patience + _TO_ANSWER
        if stuck and hope:
            if nobody and not new:
                self.note_once(f"waiting up to {self.patience:g} s for workers of {self.cluster}")
            for need in () if nobody or new else sorted(stuck):
                self.note_once(f"{need[0]}: {stuck[need]}; waiting up to {self.patience:g} s for one that can")
            return {}
        self._begun = self._since = 0.0
        if stuck and nobody:
            why = f": {next(iter(lacking.values()))}" if ready else ""
            raise RunError(
                f"{self.cluster} has had no worker that can be used for {self.patience:g} s{why}; finished cells "
                "are kept: start workers, and the same command goes on from there; dask[patience=SECONDS] waits on"
            )
        return stuck


def _lacking(need: Need, workers: Sequence[PoolWorker]) -> str:
    """Say what workers lack, not of all where they are many."""
    reasons = [f"{worker.address} {worker.misfit(need)}" for worker in workers]
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more
