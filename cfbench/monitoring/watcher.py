"""What watches a run from its first event to its last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.records.record import Record
from cfbench.runner.runner import Observer


class Watcher(Observer, Protocol):
    """An observer that is open while the run lasts."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        ...

    def concluded(self, files: Sequence[Path]) -> None:
        """The run is complete, and ``files`` are what was written of it; not called where it was cut off."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over, however it ended."""
        ...


class Indifferent:
    """Hears of everything and minds nothing: what a watcher that minds little is made from."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over."""

    def started(self, task: Task) -> None:
        """A task begins."""

    def phase(self, task: Task, name: str) -> None:
        """A task goes over to another part of its work."""

    def epoch(self, task: Task, report: EpochReport) -> None:
        """A model finished an epoch."""

    def usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """What a task has taken up to now."""

    def kept(self, record: Record) -> None:
        """A cell was finished before and is kept."""

    def finished(self, record: Record) -> None:
        """A cell ended, well or not."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def concluded(self, files: Sequence[Path]) -> None:
        """The run is complete."""
