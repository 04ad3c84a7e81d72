"""The cluster's side: workers come and go, and each of their places takes one task after another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client

from cfbench.errors import RunError
from cfbench.execution.executor import TaskQueue
from cfbench.execution.task import Outcome, Task
from cfbench_dask import errands
from cfbench_dask.carriage import Carriage, WorkerFaultError, WorkerGoneError
from cfbench_dask.connection import connected
from cfbench_dask.dispatch import Dispatch, concluding
from cfbench_dask.inventory import Inventory
from cfbench_dask.parcel import Parcel
from cfbench_dask.patience import Patience
from cfbench_dask.reports import reports_in
from cfbench_dask.terms import ResourceLimits
from cfbench_dask.worker import KnownWorker

_LOOK = 0.5  # seconds between looks at who is there
_RENEW = 10.0  # seconds between signs of life to the workers; posts wait six times as long
_GOODBYE = 30.0  # seconds for workers to end what they do


class Crew:
    """The workers of a cluster at work for one run, in a thread and an event loop of their own.

    Attributes:
        dispatch: where workers ask for tasks; yields outcomes in the run's thread.
    """

    def __init__(
        self, terms: ResourceLimits, session: str, token_file: str, tasks: Sequence[Task], queue: TaskQueue
    ) -> None:
        """Prepare; nothing happens before :meth:`begin`."""
        self.dispatch = Dispatch(tasks, queue, self._forget_soon)
        self._terms, self._session, self._token_file, self._queue = terms, session, token_file, queue
        self._models = sorted({(task.distribution, task.model) for task in tasks})
        self._here = Inventory.of_this_machine()
        self._workers: dict[str, KnownWorker] = {}
        self._again: list[Task] = []
        self._lost_by: dict[str, str] = {}
        self._parcels: dict[str, Parcel] = {}
        self._threads = max((task.threads for task in tasks), default=1)
        self._told_of_sending = False
        self._patience = Patience(terms, self._here, self.dispatch.note)
        self._background: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="cfbench-dask", daemon=True)

    def begin(self) -> None:
        """Go to work."""
        self._thread.start()

    def end(self) -> None:
        """End everything that still runs, here and there, and wait for it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        working = self._loop.create_task(self._work())
        await self._stop.wait()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    async def _work(self) -> None:
        """Keep workers busy until cancelled; any error ends the run."""
        try:
            workspace = Path(self._token_file).parent
            async with connected(self._terms.scheduler, self._terms.jobs, workspace) as client:
                self._carriage = Carriage(client, self._session)
                client.subscribe_topic(errands.TOPIC, self._hear)
                try:
                    await self._keep_watch(client)
                finally:
                    await self._dismiss_all()
        except Exception as error:  # noqa: BLE001 - raised again in the run's own thread
            self.dispatch.fail(error)

    async def _keep_watch(self, client: Client) -> None:
        renewed = time.monotonic()
        while not self._stop.is_set():  # a library may have kept the cancellation to itself
            present = await self._present(client)
            for worker in [one for address, one in self._workers.items() if address not in present]:
                self._lose(worker)
            for address, threads in present.items():
                if address not in self._workers:
                    self._hire(KnownWorker(address, threads))
            self._look_for_stuck()
            if time.monotonic() - renewed > _RENEW:
                renewed = time.monotonic()
                self._aside(self._carriage.everywhere(errands.renew, among=self._posts()))
            await asyncio.sleep(_LOOK)

    async def _present(self, client: Client) -> Mapping[str, int]:
        """Return the threads of every worker that the scheduler knows, by address."""
        try:
            found: Mapping[str, int] = await asyncio.wait_for(client.nthreads(), max(self._terms.patience, 5.0))
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"the Dask scheduler of {self._terms.where} has gone ({type(error).__name__}: {error}); finished cells "
                "are kept: the same command goes on from there when there is a scheduler again"
            ) from error
        return found

    def _posts(self) -> list[str]:
        return [worker.address for worker in self._workers.values() if worker.post]

    def _hire(self, worker: KnownWorker) -> None:
        self._workers[worker.address] = worker
        worker.job = self._loop.create_task(self._employ(worker))

    async def _employ(self, worker: KnownWorker) -> None:
        """Let a worker work until it goes."""
        try:
            await self._carriage.add_cold_entities(worker, self._models, self._token_file)
        except WorkerGoneError:
            self._workers.pop(worker.address, None)
            return
        except WorkerFaultError as error:
            worker.unusable = str(error)
        else:
            if self._terms.shared and not worker.sees:
                worker.unusable = "does not see the run's workspace; name one by --workspace that it does"
        if worker.unusable:
            self.dispatch.note(f"worker {worker.address} gets no cells: it {worker.unusable}")
            return
        try:
            async with asyncio.TaskGroup() as places:
                for _ in range(self._terms.places(worker.threads, self._threads)):
                    places.create_task(self._serve(worker))
        except* Exception as errors:  # noqa: BLE001 - raised again in the run's own thread
            self.dispatch.fail(errors.exceptions[0])

    async def _serve(self, worker: KnownWorker) -> None:
        """Let one of a worker's places take task after task."""
        while worker is self._workers.get(worker.address):
            task = await self._next_task(worker)
            worker.holding[task.name] = task
            await self._carry(worker, task)

    async def _next_task(self, worker: KnownWorker) -> Task:
        """Take a task that was lost elsewhere, or the next that waits; wait where there is none."""
        task = self._lost_task(worker) or await self._new_task(worker)
        while task is None and (task := self._lost_task(worker)) is None:
            self._news.clear()
            await self._news.wait()
        return task

    async def _new_task(self, worker: KnownWorker) -> Task | None:
        """Ask the run's thread for a task; None where none is left that suits."""
        answer: asyncio.Future[Task | None] = self._loop.create_future()
        hand = partial(self._hand_soon, answer)
        self.dispatch.ask(partial(self.dispatch.give, partial(self._suits, worker), hand))
        try:
            return await answer
        except asyncio.CancelledError:
            if not answer.cancelled() and (task := answer.result()) is not None:  # it came as the worker went
                self._offer_again(task)
            raise

    def _hand_soon(self, answer: asyncio.Future[Task | None], task: Task | None) -> None:
        """Hand a task over; called in the run's thread."""
        self._loop.call_soon_threadsafe(self._hand, answer, task)

    def _hand(self, answer: asyncio.Future[Task | None], task: Task | None) -> None:
        """Give a task to who asked for it, unless they have gone meanwhile."""
        if not answer.done():
            answer.set_result(task)
        elif task is not None:
            self._offer_again(task)

    def _lost_task(self, worker: KnownWorker) -> Task | None:
        task = next((task for task in self._again if self._suits(worker, task)), None)
        if task is not None:
            self._again.remove(task)
        return task

    def _suits(self, worker: KnownWorker, task: Task) -> bool:
        return not worker.misfit(task, self._here)

    def _offer_again(self, task: Task) -> None:
        self._again.append(task)
        self._news.set()

    async def _carry(self, worker: KnownWorker, task: Task) -> None:
        """Have a task carried out by a worker and conclude it, unless the worker goes."""
        self._phase(task, f"on {worker.address}")
        try:
            split = await self._questions_for(worker, task)
            outcome = await self._carriage.carry_out(worker, task, split)
        except WorkerGoneError:
            self._lose(worker)
            return
        except WorkerFaultError as error:
            outcome = Outcome(task, "failed", f"worker {worker.address} {error}")
        if worker.holding.pop(task.name, None) is not None:  # else the worker was lost, and the task is others' now
            self.dispatch.ask(concluding(self.dispatch, outcome))

    async def _questions_for(self, worker: KnownWorker, task: Task) -> str:
        """See to it that a worker has a task's questions; return the split's name, empty where it sees them itself."""
        if worker.sees and self._terms.shared is not False:
            return ""
        questions = Path(task.inputs)
        async with worker.sending:
            if questions.name not in worker.kept:
                self._phase(task, "sending data")
                self._tell_of_sending()
                parcel = await self._parcel(questions)
                await self._carriage.send_questions(worker, questions, parcel)
                worker.kept.add(questions.name)
        return questions.name

    async def _parcel(self, questions: Path) -> Parcel:
        if questions.name not in self._parcels:
            self._parcels[questions.name] = await asyncio.to_thread(Parcel.of, questions)
        return self._parcels[questions.name]

    def _tell_of_sending(self) -> None:
        if self._terms.shared is None and not self._told_of_sending:
            self._told_of_sending = True
            self.dispatch.note(
                "not every worker sees the run's workspace: to those that do not, data are sent through the scheduler, "
                "once per split; --workspace can name a folder that all see"
            )

    def _forget_soon(self, questions: str) -> None:
        """Let workers remove a split that no task needs any more; called in the run's thread."""
        self._loop.call_soon_threadsafe(self._forget, Path(questions).name)

    def _forget(self, split: str) -> None:
        self._parcels.pop(split, None)
        keepers = [worker for worker in self._workers.values() if split in worker.kept]
        for worker in keepers:
            worker.kept.remove(split)
        if keepers:
            self._aside(self._carriage.everywhere(errands.forget, split, among=[one.address for one in keepers]))

    def _lose(self, worker: KnownWorker) -> None:
        """Take leave of a worker that has gone; its tasks are tried once more elsewhere."""
        if self._workers.get(worker.address) is not worker:
            return
        del self._workers[worker.address]
        for task in worker.holding.values():
            before = self._lost_by.get(task.name)
            if before is None:
                self._lost_by[task.name] = worker.address
                self.dispatch.note(
                    f"{task.label}: its worker {worker.address} has gone; the cell is tried once more elsewhere"
                )
                self._offer_again(task)
            else:
                reason = f"its worker went away twice: {before}, then {worker.address}; the cell itself may be why"
                self.dispatch.ask(concluding(self.dispatch, Outcome(task, "crashed", reason)))
        worker.holding.clear()
        if worker.job is not None:
            worker.job.cancel()

    def _look_for_stuck(self) -> None:
        """Give tasks up that no worker can take, once patience with them is lost."""
        reasons = self._patience.lost_with((*self._again, *tuple(self.dispatch.waiting)), self._workers.values())
        for task in [task for task in self._again if task.name in reasons]:
            self._again.remove(task)
            before = self._lost_by.get(task.name)
            went = f"its worker {before} went away, and " if before else ""
            outcome = Outcome(task, "crashed" if before else "failed", went + reasons[task.name])
            self.dispatch.ask(concluding(self.dispatch, outcome))
        if reasons:
            self.dispatch.ask(partial(self.dispatch.give_up, reasons))

    def _phase(self, task: Task, name: str) -> None:
        self.dispatch.tell(partial(self._queue.events.cell_phase, task, name))

    def _hear(self, event: object) -> None:
        """Pass on what a worker reports of the tasks that it holds."""
        for address, name, kind, arguments in reports_in(event, self._session):
            worker = self._workers.get(address)
            if kind == "note" and worker is not None:
                self.dispatch.note(arguments[0])
            elif worker is not None and (task := worker.holding.get(name)) is not None:
                self.dispatch.tell(partial(getattr(self._queue.events, kind), task, *arguments))

    async def _dismiss_all(self) -> None:
        """End all posts, and with them what runs."""
        jobs = [worker.job for worker in self._workers.values() if worker.job is not None]
        open_ends = [*jobs, *self._background]
        for one in open_ends:
            one.cancel()
        await asyncio.gather(*open_ends, return_exceptions=True)
        with suppress(Exception):  # a scheduler that has gone, in one of many ways; workers find out by themselves
            await asyncio.wait_for(self._carriage.everywhere(errands.dismiss, among=self._posts()), _GOODBYE)

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; where it fails, the workers' own clocks see to it."""

        async def attempt() -> None:
            with suppress(Exception):
                await work

        task = self._loop.create_task(attempt())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
