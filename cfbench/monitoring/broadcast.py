"""Broadcast of a run's events to several listeners, from the start of the run to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from pathlib import Path

from cfbench.execution.contract import EVENTS, RunDescription, RunEvents


class Broadcast(RunEvents):
    """Passes every event on to each of its members, in order.

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


for _event in EVENTS:
    setattr(Broadcast, _event, partialmethod(Broadcast._pass_on, _event))
