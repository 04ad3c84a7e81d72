"""Events of a run: displays, logs and tracker plugins listen to them by overriding methods of one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.records.record import Cell, Record


@dataclass(frozen=True)
class RunDescription:
    """A run that begins.

    Attributes:
        suite: the suite's name.
        settings: the whole suite as JSON has it: models, data sets, splits, metrics, seed, repeats ...
        folder: the run's folder.
        cells: all cells of the run, in table order.
        version: of cfbench.
    """

    suite: str
    settings: Mapping[str, Any]
    folder: Path
    cells: Sequence[Cell]
    version: str


class RunEvents:
    """Events of a run; every method does nothing unless a subclass overrides it.

    A tracker plugin (entry-point group ``cfbench.trackers``) is a dataclass derived from this class, whose fields are
    its parameters. Its methods are called one after another in a thread of its own: they may take their time and never
    hold a run up. The first exception that one raises is reported, ends the tracking and harms nothing else.
    """

    def run_started(self, run: RunDescription) -> None:
        """The run begins. A tracker imports its heavy libraries here, not with its module."""

    def cell_started(self, task: Task) -> None:
        """A cell begins."""

    def cell_phase(self, task: Task, name: str) -> None:
        """A cell enters another phase: ``"waiting"``, ``"import"``, ``"load"``, ``"fit"``, ``"predict"`` ..."""

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """A model finished an epoch. Reports in quick succession may be left out."""

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """A cell's resources up to now: wall seconds, and the memory that its processes hold."""

    def cell_kept(self, record: Record) -> None:
        """A cell that an earlier run finished is kept."""

    def cell_finished(self, record: Record) -> None:
        """A cell ended, well or not."""

    def note(self, text: str) -> None:
        """A remark for the user."""

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:
        """The run is over; ``files`` were written of it, none where it was cut off (``complete`` is False)."""


EVENTS = tuple(name for name in vars(RunEvents) if not name.startswith("_"))
"""Names of the methods of :class:`RunEvents`."""
