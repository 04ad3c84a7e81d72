"""Timing of a run: the parts of its own process, and those of its cells' processes together."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cfbench.execution.contract import RunEvents, Task
from cfbench.files.atomic import write_text
from cfbench.monitoring.time_left import WAITING
from cfbench.records.record import Record
from cfbench.resources.cost import Clock

MODELS_OWN = ("fit", "add_cold_entities", "predict")
"""The parts of a cell that are the model's own work; the rest is cfbench's, or waiting."""

_MEASURED_HERE = "measure"  # stands in a cell's record, but is this process's work


class Spent(NamedTuple):
    """Seconds of one part.

    Attributes:
        wall: wall-clock seconds; of cells that ran side by side, their sum.
        cpu: CPU seconds of all threads.
    """

    wall: float
    cpu: float


@dataclass(frozen=True)
class Times:
    """Times of a run.

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
        parts = {
            name: {part: {"wall": round(spent.wall, 3), "cpu": round(spent.cpu, 3)} for part, spent in table.items()}
            for name, table in (("own", self.own), ("cells", self.cells))
        }
        counts = {"computed": self.computed, "kept": self.kept, "models_share": self.models_share}
        path = folder / "timing.json"
        write_text(path, json.dumps({"wall": round(self.wall, 3), **counts, **parts}, indent=1) + "\n")
        return path


class Timing(RunEvents):
    """Adds up what a run takes."""

    def __init__(self, clock: Clock) -> None:
        """Begin with the parts that ``clock``, of the run's own process, has already: planning counts."""
        self._clock = clock
        self._began = time.monotonic() - sum(clock.wall.values())
        self._waiting: dict[str, float] = {}
        self._cells: dict[str, Spent] = {}
        self._measuring: dict[str, Spent] = {}
        self._computed = self._kept = 0

    def cell_started(self, task: Task) -> None:
        """Count what passes from now as waiting, until the cell's process sets to work."""
        self._waiting[task.name] = time.monotonic()

    def cell_phase(self, task: Task, name: str) -> None:
        """End the waiting of a cell."""
        if name != WAITING and task.name in self._waiting:
            _add(self._cells, WAITING, time.monotonic() - self._waiting.pop(task.name), 0.0)

    def cell_kept(self, record: Record) -> None:
        """Count the measuring of a kept cell; the rest was another run's."""
        self._kept += 1
        self._count(record, {_MEASURED_HERE})

    def cell_finished(self, record: Record) -> None:
        """Count a cell's own clock and its measuring."""
        self._computed += 1
        self._count(record, set(record.cost.seconds))

    def times(self) -> Times:
        """Return where the time went up to now."""
        own = {part: Spent(wall, self._clock.cpu.get(part, 0.0)) for part, wall in self._clock.wall.items()}
        for part, spent in self._measuring.items():
            _add(own, part, *spent)
        return Times(time.monotonic() - self._began, self._computed, self._kept, own, dict(self._cells))

    def _count(self, record: Record, parts: set[str]) -> None:
        for part, wall in record.cost.seconds.items():
            if part in parts:
                total = self._measuring if part == _MEASURED_HERE else self._cells
                _add(total, part, wall, record.cost.cpu_seconds.get(part, 0.0))


def _add(total: dict[str, Spent], part: str, wall: float, cpu: float) -> None:
    before = total.get(part, Spent(0.0, 0.0))
    total[part] = Spent(before.wall + wall, before.cpu + cpu)
