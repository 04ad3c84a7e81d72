"""The run's side: its one thread gives tasks out as workers ask for them, and takes in what comes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeAlias

from cfbench.execution.executor import TaskQueue
from cfbench.execution.task import Outcome, Task

Errand: TypeAlias = Callable[[], Sequence[Outcome]]
_MOST_NEWS = 1000  # reports that wait to be told; where the run is busy, later ones are dropped


class Dispatch:
    """The tasks of a run that are not concluded yet.

    Everything happens in the thread that iterates over :meth:`outcomes`, since a queue belongs to it; other threads
    :meth:`ask` for it.

    Attributes:
        waiting: the tasks that nobody has taken; others may read it.
    """

    def __init__(self, tasks: Sequence[Task], queue: TaskQueue, through: Callable[[str], None]) -> None:
        """Take tasks on.

        Args:
            tasks: what is to be done.
            queue: where tasks are taken out.
            through: is told of questions that no task needs any more.
        """
        self.waiting = list(tasks)
        self._queue = queue
        self._through = through
        self._open = {task.name for task in tasks}
        self._using = Counter(task.inputs for task in tasks)
        self._mail: SimpleQueue[Errand] = SimpleQueue()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes until every task is concluded or refused; where an error ends that, those that are there."""
        while self._open:
            try:
                arrived = self._mail.get()()
            except Exception:
                yield from self._concluded()
                raise
            yield from arrived

    def _concluded(self) -> Iterator[Outcome]:
        """Yield the outcomes that wait in the mail."""
        while not self._mail.empty():
            errand = self._mail.get()
            if isinstance(errand, _Conclusion):
                yield from errand()

    def ask(self, errand: Errand) -> None:
        """Have something done in the run's thread; from any thread."""
        self._mail.put(errand)

    def fail(self, error: BaseException) -> None:
        """End the run with an error; from any thread."""

        def raise_it() -> Sequence[Outcome]:
            raise error

        self.ask(raise_it)

    def tell(self, event: Callable[[], None]) -> None:
        """Let the queue hear of something; from any thread."""

        def do() -> Sequence[Outcome]:
            event()
            return ()

        if self._mail.qsize() < _MOST_NEWS:
            self.ask(do)

    def note(self, text: str) -> None:
        """Let the user know something; from any thread."""

        def do() -> Sequence[Outcome]:
            self._queue.events.note(text)
            return ()

        self.ask(do)

    def give(self, suits: Callable[[Task], bool], answer: Callable[[Task | None], None]) -> Sequence[Outcome]:
        """Take the first task that ``suits`` out, and hand it to ``answer``; None where there is none."""
        for task in tuple(self.waiting):
            if suits(task) and self._admit(task):
                self._queue.events.cell_started(task)
                answer(task)
                return ()
        answer(None)
        return ()

    def give_up(self, reasons: Mapping[str, str]) -> Sequence[Outcome]:
        """Conclude tasks that wait, by name, as failed."""
        hopeless = [task for task in self.waiting if task.name in reasons]
        admitted = [task for task in hopeless if self._admit(task)]
        return [one for task in admitted for one in self.conclude(Outcome(task, "failed", reasons[task.name]))]

    def conclude(self, outcome: Outcome) -> Sequence[Outcome]:
        """Take in what came of a task."""
        self._leave(outcome.task)
        return (outcome,)

    def _admit(self, task: Task) -> bool:
        self.waiting.remove(task)
        if self._queue.acquire(task):
            return True
        self._leave(task)
        return False

    def _leave(self, task: Task) -> None:
        self._open.remove(task.name)
        self._using[task.inputs] -= 1
        if not self._using[task.inputs]:
            self._through(task.inputs)


def concluding(dispatch: Dispatch, outcome: Outcome) -> Errand:
    """Return the errand that concludes a task."""
    return _Conclusion(dispatch, outcome)


@dataclass(frozen=True)
class _Conclusion:
    """The errand that concludes a task."""

    dispatch: Dispatch
    outcome: Outcome

    def __call__(self) -> Sequence[Outcome]:
        return self.dispatch.conclude(self.outcome)
