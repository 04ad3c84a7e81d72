"""Display of a run: live on a terminal and plain lines elsewhere while it goes on, then where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cfbench.execution.contract import RunEvents, Task
from cfbench.files.printable import printable, printable_line
from cfbench.model.protocols import EpochReport
from cfbench.monitoring.timing import MODELS_OWN, Forecast, RunningCell, Spent, TimeLeft, Times
from cfbench.records.cell import Cell
from cfbench.records.record import Record

_STATUS_WIDTH = len("out-of-memory")
_BAR_WIDTH = 24
_FRAMES = 4  # a second
_PHASES = {
    "waiting": ("waiting for its libraries", "libraries and start"),
    "import": ("importing", "import"),
    "load": ("loading data", "load data"),
    "fit": ("fitting", "fit"),
    "add_cold_entities": ("adding cold users and items", "add cold users and items"),
    "predict": ("predicting", "predict"),
    "rank": ("ranking", "rank"),
    "check": ("answering checks", "answer checks"),
    "save": ("saving", "save"),
    "write": ("writing answers", "write answers"),
    "cell": ("cell", "cells that died or were ended"),
}
"""The parts of a cell's work in words, in their order: while it runs, and in the table of times."""

_OWN_PARTS = {
    "load": "load data",
    "split": "split",
    "write inputs": "write inputs",
    "measure": "metrics",
    "summarise": "intervals and comparisons",
    "write": "write",
    "report": "tables and pictures",
}
_SHORTEST = 0.05  # seconds; parts that took less are left out of the table of times


@contextmanager
def display_on(console: Console, cells: Sequence[Cell]) -> Iterator[RunEvents]:
    """Show a run of ``cells`` in the way that suits the console; a live display is cleared at the end."""
    if not console.is_terminal:
        yield PlainDisplay(console, cells)
        return
    display = LiveDisplay(console, cells)
    with display.live:
        yield display


def outcome_line(record: Record) -> str:
    """Return the outcome of a cell in one line."""
    status = f"{record.status:{_STATUS_WIDTH}} {record.cell}: "
    if record.status != "ok":
        return printable_line(f"{status}{record.reason}")
    shown = [
        f"{name} {figure.value:.4f}"
        for name, figure in record.metrics.items()
        if name.startswith(("RMSE", "NDCG")) and figure.value is not None
    ]
    return printable_line(f"{status}{', '.join(shown)} (fit {record.cost.seconds.get('fit', 0.0):.1f} s)")


@dataclass
class PlainDisplay(RunEvents):
    """One line per finished cell, for logs and pipes."""

    console: Console
    cells: Sequence[Cell]
    done: int = 0

    def cell_kept(self, record: Record) -> None:
        """Print a line for a kept cell."""
        self._line(printable_line(f"{'kept':{_STATUS_WIDTH}} {record.cell}"))

    def cell_finished(self, record: Record) -> None:
        """Print a line for a cell that ended."""
        self._line(outcome_line(record))

    def note(self, text: str) -> None:
        """Print a remark."""
        self.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        self.done += 1
        self.note(f"[{self.done}/{len(self.cells)}] {text}")


@dataclass
class LiveDisplay(RunEvents):
    """A line per running cell: what it does, how far it is, its memory; below them the whole and what is left."""

    console: Console
    cells: Sequence[Cell]
    running: dict[str, RunningCell] = field(default_factory=dict)
    time_left: TimeLeft = field(default_factory=TimeLeft)
    side_by_side: int = 1
    live: Live = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the display."""
        self._to_come = {cell.key: cell for cell in self.cells}
        self._planned = dict(self._to_come)
        self._began = time.monotonic()
        self.live = Live(get_renderable=self.picture, console=self.console, transient=True, refresh_per_second=_FRAMES)

    def cell_started(self, task: Task) -> None:
        """Show a running cell."""
        self._to_come.pop(task.name, None)
        self.running[task.name] = RunningCell(self._planned[task.name], time.monotonic())
        self.side_by_side = max(self.side_by_side, len(self.running))

    def cell_phase(self, task: Task, name: str) -> None:
        """Show what a cell does now."""
        if running := self.running.get(task.name):
            running.phase = name
            if name == "fit":
                running.fitting_since = time.monotonic()

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """Show a cell's epoch and its latest loss."""
        if task.name in self.running:
            self.running[task.name].report = report

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:  # noqa: ARG002 - they tick here
        """Show the memory that a cell holds."""
        if task.name in self.running:
            self.running[task.name].resident_bytes = resident_bytes

    def cell_kept(self, record: Record) -> None:
        """Count a kept cell as done, and forecast others by the time that it took when it was run."""
        self._to_come.pop(record.cell.key, None)
        if record.status == "ok":
            self.time_left.took(record.cell, sum(record.cost.seconds.values()))

    def cell_finished(self, record: Record) -> None:
        """Replace the cell by a line that stays."""
        self._to_come.pop(record.cell.key, None)
        ended = self.running.pop(record.cell.key, None)
        if ended is not None and record.status == "ok":
            self.time_left.took(record.cell, time.monotonic() - ended.began)
        self.note(outcome_line(record))

    def note(self, text: str) -> None:
        """Print a remark above what is live."""
        self.console.print(printable(text), markup=False, highlight=False)

    def picture(self) -> RenderableType:
        """Draw the present state; called by the thread that refreshes the terminal."""
        now, running, to_come = time.monotonic(), list(self.running.values()), list(self._to_come.values())
        lines = Table.grid(padding=(0, 2), pad_edge=False)
        for justify in ("left", "left", "left", "right", "right"):
            lines.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
        for one in running:
            lines.add_row(*_running_row(one, now))
        left = ", summing up"
        if to_come or running:
            left = _left(self.time_left.forecast(to_come, running, now, self.side_by_side))
        total, done = len(self._planned), len(self._planned) - len(to_come) - len(running)
        whole = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, total), completed=done, width=_BAR_WIDTH)
        whole.add_row(bar, Text(f"{done}/{total} cells  {clock_time(now - self._began)}{left}"))
        return Group(lines, whole)


def clock_time(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``, rounded down."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _running_row(one: RunningCell, now: float) -> tuple[Text, ...]:
    """Return a cell's model, data, phase (with epoch and loss while it fits), time and memory."""
    cell = one.cell
    where = " ".join(part for part in (cell.dataset, cell.split, cell.fold) if part)
    where += f" repeat {cell.repeat}" if cell.repeat else ""
    phase, _ = _PHASES.get(one.phase, (printable_line(one.phase), ""))
    if one.phase == "fit" and one.report is not None:
        loss = one.report.train_loss if one.report.validation_loss is None else one.report.validation_loss
        phase += f": epoch {one.report.epoch}/{one.report.epochs}" + ("" if loss is None else f"  loss {loss:.4f}")
    memory = f"{one.resident_bytes / 2**20:,.0f} MiB" if one.resident_bytes else ""
    model = Text(printable_line(cell.model), style="bold")
    return model, Text(printable_line(where)), Text(phase), Text(clock_time(now - one.began)), Text(memory)


def _left(forecast: Forecast) -> str:
    """Say how much is left, and of how many cells nothing is known; an empty text where nothing is known at all."""
    if forecast.untimed and forecast.seconds < 1:
        return ""
    if forecast.untimed:
        return f", more than {clock_time(forecast.seconds)} left; cells of models not timed yet: {forecast.untimed}"
    return f", about {clock_time(forecast.seconds)} left"


def timing_table(times: Times) -> RenderableType:
    """Show a run's times: its own parts, then those of its cells together, with their share of the whole."""
    summary = (
        f"{times.computed} cell{'' if times.computed == 1 else 's'} computed, {times.kept} kept, in {times.wall:.1f} s"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("where the time went")
    for heading in ("seconds", "CPU seconds", "share"):
        table.add_column(heading, justify="right")
    own = dict(times.own)
    own["waiting for cells"] = Spent(max(0.0, times.wall - sum(spent.wall for spent in own.values())), 0.0)
    _add_parts(table, "the run itself", own, _OWN_PARTS, times.wall)
    words = {part: word for part, (_, word) in _PHASES.items()}
    _add_parts(table, "its cells", times.cells, words, sum(spent.wall for spent in times.cells.values()))
    if times.models_share is None:
        return Group(Text(summary), table)
    share = f"the models' own work ({', '.join(MODELS_OWN)}): {times.models_share:.0%} of the cells' time"
    return Group(Text(summary), table, Text(share))


def _add_parts(table: Table, heading: str, parts: Mapping[str, Spent], words: Mapping[str, str], whole: float) -> None:
    """Add the parts that took any time, in the order in which they are worked on; unknown ones come last."""
    ordered = [*words, *(parts.keys() - words.keys())]
    shown = {part: parts[part] for part in ordered if part in parts and parts[part].wall >= _SHORTEST}
    if shown:
        table.add_row(Text(heading, style="bold"))
    for part, spent in shown.items():
        cpu = f"{spent.cpu:,.1f}" if spent.cpu else ""
        table.add_row(Text(f"  {words.get(part, part)}"), f"{spent.wall:,.1f}", cpu, f"{spent.wall / whole:.0%}")
