"""What is known of a cell while it runs."""

from __future__ import annotations

from dataclasses import dataclass

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

    def enter(self, phase: str, now: float) -> None:
        """Go over to another part of the work."""
        self.phase = phase
        if phase == "fit":
            self.fitting_since = now

    @property
    def loss(self) -> float | None:
        """The latest validation loss, else the latest training loss, where the model tells any."""
        if self.report is None:
            return None
        return self.report.train_loss if self.report.validation_loss is None else self.report.validation_loss

    def rest_of_fit(self, now: float) -> float | None:
        """Extrapolate the epochs to come from those done, in seconds; None where no epoch was told."""
        if self.report is None or self.fitting_since is None or self.report.epoch < 1:
            return None
        to_come = max(0, self.report.epochs - self.report.epoch)
        return (now - self.fitting_since) / self.report.epoch * to_come
