"""Time left of a run, by what cells of the same model took and by the epochs of running cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from cfbench.model.protocols import EpochReport
from cfbench.records.record import Cell

WAITING = "waiting"
"""The phase of a cell whose process does not work on it yet: its libraries are being imported."""


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
    """Forecasts cells by the times of others.

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
