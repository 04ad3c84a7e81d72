"""How long the rest of a run may take, by what cells of the same model took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from cfbench.monitoring.running_cell import RunningCell
from cfbench.records.record import Cell


@dataclass(frozen=True)
class Forecast:
    """The rest of a run.

    Attributes:
        seconds: wall seconds of the cells whose model has been timed.
        untimed: cells to come of models that no figure is known of; with any, ``seconds`` is a lower bound.
    """

    seconds: float
    untimed: int


@dataclass
class TimeLeft:
    """Remembers what cells took and forecasts the others.

    A cell is expected to take the mean of its model's cells on the same data and split, else of its model's cells
    anywhere. A model that has not been timed is not guessed at: models differ by factors of thousands.
    """

    times: dict[tuple[str, ...], list[float]] = field(default_factory=dict)

    def took(self, cell: Cell, seconds: float) -> None:
        """Remember the wall seconds of a finished cell."""
        for likeness in _likenesses(cell):
            self.times.setdefault(likeness, []).append(seconds)

    def expected(self, cell: Cell) -> float | None:
        """Return the wall seconds that ``cell`` may take, or None where its model has not been timed."""
        known = next((self.times[likeness] for likeness in _likenesses(cell) if likeness in self.times), None)
        return None if known is None else fmean(known)

    def forecast(
        self, to_come: Iterable[Cell], running: Iterable[RunningCell], now: float, side_by_side: int
    ) -> Forecast:
        """Forecast the rest: ``to_come`` has not begun, ``running`` has.

        ``side_by_side`` cells share the work evenly, but none can end before its own rest is done.
        """
        rests = [self.expected(cell) for cell in to_come] + [self._rest(one, now) for one in running]
        known = [rest for rest in rests if rest is not None]
        seconds = max(sum(known) / max(1, side_by_side), max(known, default=0.0))
        return Forecast(seconds, len(rests) - len(known))

    def _rest(self, running: RunningCell, now: float) -> float | None:
        """Return what is left of a running cell; its own epochs know better than other cells."""
        told = running.rest_of_fit(now)
        expected = self.expected(running.cell)
        if told is not None:
            return told
        return None if expected is None else max(0.0, expected - (now - running.began))


def _likenesses(cell: Cell) -> tuple[tuple[str, ...], ...]:
    """Name the groups of cells that say how long ``cell`` takes, the likest first."""
    return (cell.model, cell.dataset, cell.split), (cell.model,)
