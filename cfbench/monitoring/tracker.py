"""The contract of a tracker plugin (group ``cfbench.trackers``): it takes runs over into some other book-keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cfbench.records.record import Record


@dataclass(frozen=True)
class TrackedRun:
    """A run that is about to begin.

    Attributes:
        suite: the suite's name.
        settings: the whole suite as JSON has it: models, data sets, splits, metrics, seed, repeats ...
        folder: the run's folder.
        cells: how many cells it has.
        version: of cfbench.
    """

    suite: str
    settings: Mapping[str, Any]
    folder: Path
    cells: int
    version: str


class Tracker(Protocol):
    """Takes one run over. A dataclass whose init fields are its parameters, like every plugin.

    Its methods are called one after another in a thread of their own: they may take their time, and hold no run up.
    Whatever one raises is told, ends the tracking and harms nothing else.
    """

    def begin(self, run: TrackedRun) -> None:
        """A run begins. Heavy libraries are imported here, not when the module is."""
        ...

    def cell(self, record: Record, *, kept: bool) -> None:
        """A cell ended, well or not; ``kept`` where it had been computed before this run."""
        ...

    def end(self, files: Sequence[Path], *, complete: bool) -> None:
        """The run is over; ``files`` were written of it, none where it was cut off (``complete`` is False)."""
        ...
