"""Broadcast of a run's events to several listeners; a tracker plugin listens in a thread of its own.

The run never waits for a tracker and never fails with it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial, partialmethod
from pathlib import Path

from cfbench.execution.contract import EVENTS, RunDescription, RunEvents


class Broadcast(RunEvents):
    """Listener that passes every event on to each of its members, in order.

    Attributes:
        members: the listeners.
        files: what was written of the run; None until the run is complete.
    """

    def __init__(self, members: Sequence[RunEvents]) -> None:
        self.members = members
        self.files: Sequence[Path] | None = None

    @contextmanager
    def during(self, run: RunDescription) -> Iterator[None]:
        """Notify all members of the start and, in reverse order, of the end of a run, however it ends.

        Where one member fails to start or to finish, those that have started are finished all the same.
        """

        def finish(member: RunEvents) -> None:
            member.run_finished(self.files or (), complete=self.files is not None)

        with ExitStack() as started:
            for member in self.members:
                member.run_started(run)
                started.callback(finish, member)
            yield

    def _pass_on(self, event: str, *args: object, **kwargs: object) -> None:
        for member in self.members:
            getattr(member, event)(*args, **kwargs)


class TrackerThread(RunEvents):
    """Listener that hands events to a tracker in a thread of its own, and gives it up at its first failure.

    Events that the tracker does not override are not handed over.
    """

    def __init__(self, name: str, tracker: RunEvents, complain: Callable[[str], None], patience: float = 60.0) -> None:
        """Prepare the thread, which starts with the run.

        Args:
            name: the tracker as the user wrote it.
            tracker: the tracker.
            complain: reports that tracking failed.
            patience: seconds that the tracker may still take when the run is over.
        """
        self._name, self._tracker, self._complain, self._patience = name, tracker, complain, patience
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=f"tracking by {name}", daemon=True)

    def run_started(self, run: RunDescription) -> None:
        """Start the thread."""
        self._calls.put(partial(self._tracker.run_started, run))
        self.thread.start()

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:
        """Let the tracker conclude, and wait for it as long as patience lasts."""
        self._calls.put(partial(self._tracker.run_finished, files, complete=complete))
        self._calls.put(None)
        self.thread.join(self._patience)
        if self.thread.is_alive():
            self._complain(
                f"--track {self._name} had not taken everything {self._patience:g} s after the run; it is left behind"
            )

    def _hand_over(self, event: str, *args: object) -> None:
        """Queue an event for the tracker, unless it ignores it or has been given up."""
        if self.thread.is_alive() and getattr(type(self._tracker), event) is not getattr(RunEvents, event):
            self._calls.put(partial(getattr(self._tracker, event), *args))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a tracker may raise anything; results must not be lost
                self._complain(
                    f"--track {self._name} failed and is given up, results are kept: {type(error).__name__}: {error}"
                )
                return


for _event in EVENTS:
    setattr(Broadcast, _event, partialmethod(Broadcast._pass_on, _event))
    if _event not in vars(TrackerThread):
        setattr(TrackerThread, _event, partialmethod(TrackerThread._hand_over, _event))
