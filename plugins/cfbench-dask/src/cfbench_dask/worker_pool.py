"""The pool of a cluster's workers: the run's own thread assigns cells to them, a thread for each cell awaits it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from cfbench.execution import Outcome, RunError, Task, TaskQueue
from cfbench_dask import worker_session
from cfbench_dask.file_transfer import FileTransfer
from cfbench_dask.rpc import Rpc, WorkerFaultError, WorkerGoneError, events_in
from cfbench_dask.worker_session import Installed

if TYPE_CHECKING:
    from cfbench_dask.executor import DaskExecutor

_LOOK = 0.5  # seconds between looks at which workers are there
_RENEW = 10.0  # seconds between renewals of the workers' leases, which last six times as long
_GOODBYE = 30.0  # seconds for workers to end what they run
_MOST_EVENTS = 1000  # events that wait for the run's thread; where it is busy, later ones are dropped
_TO_ANSWER = 60.0  # seconds that a new worker may take to import what it needs, before patience begins to run out
_SHOWN = 3  # workers that a reason names


@dataclass(eq=False)
class PoolWorker:
    """One worker of the cluster, as the run knows it.

    Attributes:
        address: where the scheduler knows it.
        threads: how many tasks Dask gives it at a time.
        since: when it was first seen, by the monotonic clock.
        token: the token of the run's session there; empty while there is none.
        installed: what it has installed.
        unusable: why no cell is given to it; empty where cells are.
        shares: whether it reads the run's workspace by the same path.
        running: the tasks that it runs, by name.
        stored: the splits whose inputs it has.
        sending: held while inputs are sent to it.
    """

    address: str
    threads: int
    since: float = field(default_factory=time.monotonic)
    token: str = ""
    installed: Installed = field(default_factory=lambda: Installed({}, {}))
    unusable: str = ""
    shares: bool = False
    running: dict[str, Task] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    sending: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answered(self) -> bool:
        """Whether it is known what it can do."""
        return bool(self.token or self.unusable)

    def misfit(self, task: Task, here: Installed) -> str:
        """Say why a task cannot be given to it, an empty text where it can."""
        return self.unusable or ("" if self.token else "has not answered yet") or self.installed.mismatch(task, here)


_Message: TypeAlias = Callable[[], Iterable[Outcome] | None]


class WorkerPool:
    """The workers of a cluster at work for one run.

    All state changes in the thread that iterates over :meth:`outcomes`, since the queue of tasks belongs to it; other
    threads wait for workers and put messages into the inbox.
    """

    def __init__(
        self, executor: DaskExecutor, rpc: Rpc, token_file: Path, tasks: Sequence[Task], queue: TaskQueue
    ) -> None:
        """Take tasks on; ``token_file`` holds the session's name, for workers that see the same files."""
        self._executor, self._rpc, self._token_file, self._queue = executor, rpc, token_file, queue
        self._waiting = list(tasks)
        self._again: list[Task] = []  # acquired, and lost with their worker
        self._lost_by: dict[str, str] = {}
        self._open = {task.name for task in tasks}
        self._using = Counter(task.inputs for task in tasks)
        self._models = sorted({(task.distribution, task.import_path) for task in tasks})
        self._threads = max((task.threads for task in tasks), default=1)
        self._here = Installed.here()
        self._policy = WaitPolicy(executor, self._here, queue.events.note)
        self._workers: dict[str, PoolWorker] = {}
        self._transfers: dict[str, FileTransfer] = {}
        self._describing = threading.Lock()
        self._noted_sending = False
        self._inbox: SimpleQueue[_Message] = SimpleQueue()
        self._closed = threading.Event()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes until every task is concluded or refused; where an error ends that, first those that wait."""
        self._rpc.client.subscribe_topic(worker_session.TOPIC, self._on_event)
        _in_background(self._renew_leases)
        looked = 0.0
        try:
            while self._open:
                # What a worker has finished is taken first: it counts, also where the worker has left meanwhile.
                if self._inbox.empty() and time.monotonic() - looked >= _LOOK:
                    looked = time.monotonic()
                    self._look_for_workers()
                    yield from self._give_up_stuck()
                self._assign()
                try:
                    message = self._inbox.get(timeout=_LOOK)
                except Empty:
                    continue
                yield from message() or ()
        except Exception:
            while not self._inbox.empty():
                message = self._inbox.get()
                if isinstance(message, partial) and message.func == self._concluded:
                    yield from message()
            raise
        finally:
            self._close()

    # Workers come and go.

    def _look_for_workers(self) -> None:
        """Compare the workers that the scheduler has with those known; it has gone where it does not say."""
        client = self._rpc.client
        try:
            present = client.sync(client.scheduler.ncores, callback_timeout=max(self._executor.patience, 5.0))
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"the Dask scheduler of {self._executor.cluster} has gone ({type(error).__name__}: {error}); "
                "finished cells are kept: the same command goes on from there when there is a scheduler again"
            ) from error
        for worker in [one for address, one in self._workers.items() if address not in present]:
            self._lose(worker)
        for address, threads in present.items():
            if address not in self._workers:
                worker = self._workers[address] = PoolWorker(address, threads)
                self._in_background(self._open_session, worker)

    def _open_session(self, worker: PoolWorker) -> None:
        """Open a session on a new worker and learn what it has; in a thread of its own."""
        try:
            facts = self._rpc.open_session(worker.address, self._models, str(self._token_file))
            installed, unusable = Installed.from_json(facts.get("installed")), ""
        except WorkerGoneError:
            self._inbox.put(partial(self._lose, worker))
            return
        except (WorkerFaultError, ValueError) as error:
            facts, installed = {}, worker.installed
            unusable = str(error) if isinstance(error, WorkerFaultError) else f"did not say what it has: {error}"
        shares = facts.get("visible") == self._rpc.session
        if not unusable and self._executor.shared and not shares:
            unusable = "does not see the run's workspace; name one by --workspace that it does"

        def ready() -> None:
            worker.installed, worker.shares, worker.unusable = installed, shares, unusable
            worker.token = "" if unusable else str(facts.get("token"))
            if unusable:
                self._queue.events.note(f"worker {worker.address} gets no cells: it {unusable}")

        self._inbox.put(ready)

    def _lose(self, worker: PoolWorker) -> None:
        """Forget a worker that has gone; its cells are tried once more elsewhere, and are crashed the second time."""
        if self._workers.get(worker.address) is not worker:
            return
        del self._workers[worker.address]
        for task in worker.running.values():
            before = self._lost_by.get(task.name)
            if before is None:
                self._lost_by[task.name] = worker.address
                self._again.append(task)
                self._queue.events.note(
                    f"{task.label}: its worker {worker.address} has gone; the cell is tried once more elsewhere"
                )
            else:
                reason = f"its worker went away twice: {before}, then {worker.address}; the cell itself may be why"
                self._inbox.put(partial(self._concluded, Outcome(task, "crashed", reason)))
        worker.running.clear()
        _in_background(partial(self._rpc.cancel, worker.address))

    def _give_up_stuck(self) -> Iterator[Outcome]:
        """Conclude the tasks that no worker can take, once patience with them has run out."""
        reasons = self._policy.given_up([*self._again, *self._waiting], self._workers.values())
        for task in [task for task in self._again if task.name in reasons]:
            self._again.remove(task)
            outcome = Outcome(
                task, "crashed", f"its worker {self._lost_by[task.name]} went away, and {reasons[task.name]}"
            )
            yield from self._concluded(outcome)
        for task in [task for task in self._waiting if task.name in reasons]:
            self._waiting.remove(task)
            if self._acquired(task):
                yield from self._concluded(Outcome(task, "failed", reasons[task.name]))

    # Cells are assigned and concluded.

    def _assign(self) -> None:
        """Give every free place of a worker the first task that suits it: one lost elsewhere, else one that waits."""
        for worker in self._workers.values() if self._again or self._waiting else ():
            places = self._executor.places(worker.threads, self._threads) if worker.token else 0
            while len(worker.running) < places and (task := self._next_task(worker)) is not None:
                worker.running[task.name] = task
                self._in_background(self._run_cell, worker, task)

    def _next_task(self, worker: PoolWorker) -> Task | None:
        for tasks in (self._again, self._waiting):
            for task in [task for task in tasks if not worker.misfit(task, self._here)]:
                tasks.remove(task)
                if tasks is self._again or self._acquired(task):
                    return task
        return None

    def _acquired(self, task: Task) -> bool:
        """Acquire a task that waits; one that is refused, which another run has, needs nothing more."""
        if self._queue.acquire(task):
            self._queue.events.cell_started(task)
            return True
        self._leave(task)
        return False

    def _leave(self, task: Task) -> None:
        """Note that a task needs nothing more; inputs that no task needs are removed from the workers."""
        self._open.remove(task.name)
        self._using[task.inputs] -= 1
        if self._using[task.inputs]:
            return
        split = Path(task.inputs).name
        self._transfers.pop(split, None)
        keepers = [worker for worker in self._workers.values() if split in worker.stored]
        for worker in keepers:
            worker.stored.remove(split)
        addresses = [worker.address for worker in keepers]
        _in_background(partial(self._rpc.everywhere, worker_session.forget, split, addresses=addresses))

    def _concluded(self, outcome: Outcome, worker: PoolWorker | None = None) -> Sequence[Outcome]:
        """Take an outcome in; one of a ``worker`` that was lost meanwhile is dropped, the task is others' now."""
        if worker is not None and worker.running.pop(outcome.task.name, None) is None:
            return ()
        self._leave(outcome.task)
        return (outcome,)

    # What follows runs in threads of their own and changes nothing of the pool.

    def _run_cell(self, worker: PoolWorker, task: Task) -> None:
        """Have a task run by a worker, its inputs sent before where it does not see them."""
        self._event("cell_phase", task, f"on {worker.address}")
        try:
            split = self._stored_split(worker, task)
            outcome = self._rpc.run_cell(worker.address, worker.token, task, split)
        except WorkerGoneError:
            self._inbox.put(partial(self._lose, worker))
            return
        except WorkerFaultError as error:
            outcome = Outcome(task, "failed", f"worker {worker.address} {error}")
        self._inbox.put(partial(self._concluded, outcome, worker))

    def _stored_split(self, worker: PoolWorker, task: Task) -> str:
        """Send a task's inputs unless they are there; return the split's name, empty where the worker shares files."""
        if worker.shares and self._executor.shared is not False:
            return ""
        folder = Path(task.inputs)
        with worker.sending:
            if folder.name not in worker.stored:
                self._event("cell_phase", task, "sending data")
                with self._describing:
                    if self._executor.shared is None and not self._noted_sending:
                        self._noted_sending = True
                        self._inbox.put(partial(self._queue.events.note, _SENDING))
                    if folder.name not in self._transfers:
                        self._transfers[folder.name] = FileTransfer.of(folder)
                self._rpc.send_inputs(worker.address, worker.token, folder, self._transfers[folder.name])
                worker.stored.add(folder.name)
        return folder.name

    def _on_event(self, message: object) -> None:
        """Pass on what a worker reports of its cells; called in the client's thread."""
        for address, name, kind, arguments in events_in(message, self._rpc.session):
            worker = self._workers.get(address)
            task = worker.running.get(name) if worker is not None else None
            if kind == "note" and worker is not None:
                self._inbox.put(partial(self._queue.events.note, *arguments))
            elif kind != "note" and task is not None:
                self._event(kind, task, *arguments)

    def _event(self, kind: str, task: Task, *arguments: object) -> None:
        if self._inbox.qsize() < _MOST_EVENTS:
            self._inbox.put(partial(getattr(self._queue.events, kind), task, *arguments))

    def _renew_leases(self) -> None:
        while not self._closed.wait(_RENEW):
            addresses = [worker.address for worker in list(self._workers.values()) if worker.token]
            _in_background(partial(self._rpc.everywhere, worker_session.renew, addresses=addresses))

    def _in_background(self, function: Callable[..., None], *arguments: object) -> None:
        """Call a function in a thread of its own; an error that it does not expect ends the run."""

        def call() -> None:
            try:
                function(*arguments)
            except Exception as error:  # noqa: BLE001 - raised again in the run's own thread
                self._inbox.put(partial(_raise, error))

        threading.Thread(target=call, name="cfbench-dask", daemon=True).start()

    def _close(self) -> None:
        """End all sessions, and with them what runs; a scheduler that has gone is not waited for."""
        self._closed.set()
        workers = list(self._workers.values())
        for worker in workers:
            if worker.running:
                _in_background(partial(self._rpc.cancel, worker.address))
        addresses = [worker.address for worker in workers if worker.token]
        closing = partial(self._rpc.everywhere, worker_session.close_session, addresses=addresses)
        _in_background(closing).join(_GOODBYE)


_SENDING = (
    "not every worker sees the run's workspace: to those that do not, data are sent through the scheduler, "
    "once per split; --workspace can name a folder that all see"
)


def _in_background(call: Callable[[], None]) -> threading.Thread:
    """Make a call in a thread of its own; where it fails, the workers' leases end what it should have ended."""

    def attempt() -> None:
        with suppress(Exception):
            call()

    thread = threading.Thread(target=attempt, name="cfbench-dask", daemon=True)
    thread.start()
    return thread


def _raise(error: Exception) -> None:
    raise error


class WaitPolicy:
    """How long tasks wait for a worker that can take them."""

    def __init__(self, executor: DaskExecutor, here: Installed, note: Callable[[str], None]) -> None:
        """Begin to wait; ``note`` takes what is waited for, once each."""
        self._executor, self._here, self._note = executor, here, note
        self._since: float | None = None
        self._noted: set[str] = set()

    def given_up(self, tasks: Sequence[Task], workers: Iterable[PoolWorker]) -> Mapping[str, str]:
        """Return the tasks to give up, by name, with the reason; empty while there is hope.

        Raises RunError where there is no worker that could take anything.
        """
        known = list(workers)
        ready = [worker for worker in known if worker.answered]
        stuck = [task for task in tasks if all(worker.misfit(task, self._here) for worker in ready)]
        now, patience = time.monotonic(), self._executor.patience
        if not stuck or any(not worker.answered and now - worker.since < _TO_ANSWER for worker in known):
            self._since = None
            return {}
        self._since = now if self._since is None else self._since
        nobody = all(worker.unusable for worker in ready)
        if now - self._since < patience:
            if nobody:
                self._note_once(f"waiting up to {patience:g} s for workers of {self._executor.cluster}")
            for distribution in () if nobody else sorted({task.distribution for task in stuck}):
                why = self._why_not(next(task for task in stuck if task.distribution == distribution), ready)
                self._note_once(f"{distribution}: {why}; waiting up to {patience:g} s for one that can")
            return {}
        self._since = None
        if nobody:
            why = f": {_named([f'{worker.address} {worker.unusable}' for worker in ready])}" if ready else ""
            raise RunError(
                f"{self._executor.cluster} has had no worker that can be used for {patience:g} s{why}; finished cells "
                "are kept: start workers, and the same command goes on from there; dask[patience=SECONDS] waits on"
            )
        return {task.name: self._why_not(task, ready) for task in stuck}

    def _why_not(self, task: Task, ready: Sequence[PoolWorker]) -> str:
        reasons = _named([f"{worker.address} {worker.misfit(task, self._here)}" for worker in ready])
        return f"no worker can run it: {reasons}; install the same there"

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._note(text)


def _named(reasons: Sequence[str]) -> str:
    """Join the reasons of workers, not of all where they are many."""
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more
