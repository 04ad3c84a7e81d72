"""Where the time of a run went: the run's own process, and its cells' processes together."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Task
from cfbench.files.atomic import write_text
from cfbench.monitoring.running_cell import WAITING
from cfbench.records.record import Record
from cfbench.resources.clock import Clock

MODELS_OWN = ("fit", "add_cold_entities", "predict")
"""The parts of a cell that are the model's own work; the rest is cfbench's, or waiting."""

_MEASURED_HERE = "measure"  # stands in a cell's record, but is this process's work


@dataclass(frozen=True)
class Spent:
    """Seconds of one part.

    Attributes:
        wall: wall-clock seconds; of cells that ran side by side, their sum.
        cpu: CPU seconds of all threads.
    """

    wall: float
    cpu: float


@dataclass(frozen=True)
class Times:
    """Where the time of a run went.

    Attributes:
        wall: wall-clock seconds of the whole run, planning included.
        computed: cells that were run.
        kept: cells that were there.
        own: parts of the run's own process: ``load`` (data), ``split``, ``measure``, ``write`` ...; the rest of
            ``wall`` was spent waiting for cells.
        cells: parts of the cells' processes, summed over the cells that were run.
    """

    wall: float
    computed: int
    kept: int
    own: Mapping[str, Spent]
    cells: Mapping[str, Spent]

    @property
    def models_share(self) -> float | None:
        """Share of all cells' seconds that was the models' own work, in [0, 1]; None where no cell was run."""
        whole = sum(spent.wall for spent in self.cells.values())
        return sum(self.cells[part].wall for part in MODELS_OWN if part in self.cells) / whole if whole else None

    def write(self, folder: Path) -> Path:
        """Write ``timing.json`` into the run's folder and return its path."""
        path = folder / "timing.json"
        facts = {
            "wall": round(self.wall, 3),
            "computed": self.computed,
            "kept": self.kept,
            "models_share": self.models_share,
            "own": _facts(self.own),
            "cells": _facts(self.cells),
        }
        write_text(path, json.dumps(facts, indent=1) + "\n")
        return path


@dataclass
class Timing(RunEvents):
    """Adds up what a run takes.

    Attributes:
        clock: of the run's own process; what it shows already is planning, and counts.
        cells: of the cells.
        measuring: of measuring their answers.
    """

    clock: Clock
    cells: Clock = field(default_factory=Clock)
    measuring: Clock = field(default_factory=Clock)
    computed: int = 0
    kept_cells: int = 0

    def __post_init__(self) -> None:
        self._began = time.monotonic() - sum(self.clock.wall.values())
        self._waiting: dict[str, float] = {}

    def cell_started(self, task: Task) -> None:
        """Count what passes from now as waiting, until the cell's process sets to work."""
        self._waiting[task.name] = time.monotonic()

    def cell_phase(self, task: Task, name: str) -> None:
        """End the waiting of a cell."""
        if name != WAITING and task.name in self._waiting:
            _add(self.cells.wall, {WAITING: time.monotonic() - self._waiting.pop(task.name)})

    def cell_kept(self, record: Record) -> None:
        """Count the measuring of a kept cell; the rest was another run's."""
        self.kept_cells += 1
        self._measured(record)

    def cell_finished(self, record: Record) -> None:
        """Count a cell's own clock and its measuring."""
        self.computed += 1
        _add(self.cells.wall, record.cost.seconds, but=_MEASURED_HERE)
        _add(self.cells.cpu, record.cost.cpu_seconds, but=_MEASURED_HERE)
        self._measured(record)

    def times(self) -> Times:
        """Return where the time went up to now."""
        own = Clock(dict(self.clock.wall), dict(self.clock.cpu))
        _add(own.wall, self.measuring.wall)
        _add(own.cpu, self.measuring.cpu)
        wall = time.monotonic() - self._began
        return Times(wall, self.computed, self.kept_cells, _spent(own), _spent(self.cells))

    def _measured(self, record: Record) -> None:
        _add(self.measuring.wall, {_MEASURED_HERE: record.cost.seconds.get(_MEASURED_HERE, 0.0)})
        _add(self.measuring.cpu, {_MEASURED_HERE: record.cost.cpu_seconds.get(_MEASURED_HERE, 0.0)})


def _add(total: dict[str, float], seconds: Mapping[str, float], but: str = "") -> None:
    for part, more in seconds.items():
        if part != but:
            total[part] = total.get(part, 0.0) + more


def _spent(clock: Clock) -> dict[str, Spent]:
    return {part: Spent(wall, clock.cpu.get(part, 0.0)) for part, wall in clock.wall.items()}


def _facts(parts: Mapping[str, Spent]) -> dict[str, dict[str, float]]:
    return {part: {"wall": round(spent.wall, 3), "cpu": round(spent.cpu, 3)} for part, spent in parts.items()}
