"""Times of a run: what its own process and its cells spent, and how long the rest may take.

The time left is forecast by what cells of the same model took and by the epochs of running cells.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from cfbench.execution.contract import RunEvents, Task
from cfbench.files.atomic import write_text
from cfbench.model.protocols import EpochReport
from cfbench.records.cell import Cell
from cfbench.records.record import Record
from cfbench.resources.cost import Clock

MODELS_OWN = ("fit", "add_cold_entities", "predict")
"""The parts of a cell that are the model's own work; the rest is cfbench's, or waiting."""

WAITING = "waiting"
"""The phase of a cell whose process does not work on it yet: its libraries are being imported."""

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
    """Listener that adds up what a run takes."""

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


@dataclass
class RunningCell:
    """One running cell.

    Attributes:
        cell: its coordinates.
        began: when it was started, in seconds of the caller's clock.
        phase: the part of its work that it is in.
        fitting_since: when the fit began, by the same clock; None before.
        report: the latest epoch, None before the first.
        resident_bytes: the memory that its processes held when last looked at; 0 before.
    """

    cell: Cell
    began: float
    phase: str = WAITING
    fitting_since: float | None = None
    report: EpochReport | None = None
    resident_bytes: int = 0

    def rest_of_fit(self, now: float) -> float | None:
        """Extrapolate the epochs to come from those done, in seconds; None where no epoch was reported."""
        if self.report is None or self.fitting_since is None or self.report.epoch < 1:
            return None
        to_come = max(0, self.report.epochs - self.report.epoch)
        return (now - self.fitting_since) / self.report.epoch * to_come


@dataclass(frozen=True)
class Forecast:
    """Forecast of the rest of a run.

    Attributes:
        seconds: wall seconds of the cells whose model has been timed.
        untimed: cells to come of models that no time is known of; with any, ``seconds`` is a lower bound.
    """

    seconds: float
    untimed: int


class TimeLeft:
    """Forecaster of cells by the times of others.

    A cell is expected to take the mean of its model's cells on the same data and split, else of its model's cells
    anywhere. A model that has not been timed is not guessed at: models differ by factors of thousands.
    """

    def __init__(self) -> None:
        self._times: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)

    def took(self, cell: Cell, seconds: float) -> None:
        """Record the wall seconds of a finished cell."""
        for group in ((cell.model, cell.dataset, cell.split), (cell.model,)):
            self._times[group].append(seconds)

    def expected(self, cell: Cell) -> float | None:
        """Return the wall seconds that ``cell`` may take, or None where its model has not been timed."""
        times = self._times.get((cell.model, cell.dataset, cell.split)) or self._times.get((cell.model,))
        return fmean(times) if times else None

    def forecast(
        self, to_come: Iterable[Cell], running: Iterable[RunningCell], now: float, side_by_side: int
    ) -> Forecast:
        """Forecast the rest: ``to_come`` has not begun, ``running`` has.

        ``side_by_side`` cells share the work evenly, but none can end before its own rest is done. Epochs of a running
        cell go before the times of other cells.
        """
        rests = [self.expected(cell) for cell in to_come]
        for one in running:
            rest, expected = one.rest_of_fit(now), self.expected(one.cell)
            if rest is None and expected is not None:
                rest = max(0.0, expected - (now - one.began))
            rests.append(rest)
        known = [rest for rest in rests if rest is not None]
        seconds = max(sum(known) / max(1, side_by_side), max(known, default=0.0))
        return Forecast(seconds, len(rests) - len(known))
