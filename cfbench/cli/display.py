"""What a run shows while it goes on: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cfbench.contracts import EpochReport
from cfbench.executors.task import Task
from cfbench.records.record import Record
from cfbench.running.run import Observer


class Display(Observer, Protocol):
    """An observer that is open while the run lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear away what is live."""
        ...


def display_for(console: Console, cells: int) -> Display:
    """Choose the display that suits the console."""
    return LiveDisplay(console, cells) if console.is_terminal else PlainDisplay(console, cells)


def outcome_line(record: Record) -> str:
    """Say in one line what came of a cell."""
    if record.status != "ok":
        return f"{record.status:8} {record.cell}: {record.reason}"
    shown = [
        f"{name} {figure.value:.4f}"
        for name, figure in record.metrics.items()
        if name.startswith(("RMSE", "NDCG")) and figure.value is not None
    ]
    seconds = record.cost.seconds
    return f"ok       {record.cell}: {', '.join(shown)} (fit {seconds.get('fit', 0.0):.1f} s)"


@dataclass
class PlainDisplay:
    """One line per finished cell, for logs and pipes."""

    console: Console
    cells: int
    done: int = 0

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to clear away."""

    def started(self, task: Task) -> None:
        """Say nothing: the line comes when the cell ends."""

    def epoch(self, task: Task, report: EpochReport) -> None:
        """Say nothing: losses are kept in the record."""

    def kept(self, record: Record) -> None:
        """Count a cell that was there."""
        self._line(f"kept     {record.cell}")

    def finished(self, record: Record) -> None:
        """Tell what came of a cell."""
        self._line(outcome_line(record))

    def note(self, text: str) -> None:
        """Print a remark."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        self.done += 1
        self.note(f"[{self.done}/{self.cells}] {text}")


@dataclass
class LiveDisplay:
    """A bar over all cells, and one per running cell with its epochs and loss."""

    console: Console
    cells: int
    progress: Progress = field(init=False)
    whole: TaskID = field(init=False)
    running: dict[str, TaskID] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Lay out the display."""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.whole = self.progress.add_task("cells", total=self.cells)

    def __enter__(self) -> Self:
        """Start to draw."""
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Clear the display."""
        self.progress.stop()

    def started(self, task: Task) -> None:
        """Show a running cell; its epochs are not known yet."""
        self.running[task.name] = self.progress.add_task(f"  {escape(task.who)}", total=None)

    def epoch(self, task: Task, report: EpochReport) -> None:
        """Advance a cell's epochs and show its latest loss."""
        loss = report.validation_loss if report.validation_loss is not None else report.train_loss
        said = "" if loss is None else f"  loss {loss:.4f}"
        self.progress.update(
            self.running[task.name],
            description=f"  {escape(task.who)}{said}",
            completed=report.epoch,
            total=report.epochs,
        )

    def kept(self, record: Record) -> None:
        """Advance the whole by a cell that was there."""
        self.progress.update(self.whole, advance=1, description=f"cells (kept {escape(record.cell.model)})")

    def finished(self, record: Record) -> None:
        """Replace the cell's bar by a line that stays."""
        bar = self.running.pop(record.cell.key, None)
        if bar is not None:
            self.progress.remove_task(bar)
        self.progress.advance(self.whole)
        self.note(outcome_line(record))

    def note(self, text: str) -> None:
        """Print a remark above the bars."""
        self.progress.console.print(text, markup=False, highlight=False)
