"""Several watchers of one run: each is told everything, in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.monitoring.watcher import Watcher
from cfbench.records.record import Record


@dataclass
class Watchers:
    """Passes every event on to each of ``members``; where it is opened, they are, in order, and closed in reverse."""

    members: Sequence[Watcher]
    opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Open all; where one cannot be opened, those before it are closed again."""
        with self.opened as opening:
            for member in self.members:
                opening.enter_context(member)
            self.opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all, each whatever becomes of the others."""
        self.opened.__exit__(kind, error, trace)

    def started(self, task: Task) -> None:
        """Pass on that a task begins."""
        for member in self.members:
            member.started(task)

    def phase(self, task: Task, name: str) -> None:
        """Pass on what a task goes over to."""
        for member in self.members:
            member.phase(task, name)

    def epoch(self, task: Task, report: EpochReport) -> None:
        """Pass on what a model reports."""
        for member in self.members:
            member.epoch(task, report)

    def usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """Pass on what a task has taken."""
        for member in self.members:
            member.usage(task, seconds, resident_bytes)

    def kept(self, record: Record) -> None:
        """Pass on that a cell is kept."""
        for member in self.members:
            member.kept(record)

    def finished(self, record: Record) -> None:
        """Pass on that a cell ended."""
        for member in self.members:
            member.finished(record)

    def note(self, text: str) -> None:
        """Pass a remark on."""
        for member in self.members:
            member.note(text)

    def concluded(self, files: Sequence[Path]) -> None:
        """Pass on that the run is complete."""
        for member in self.members:
            member.concluded(files)
