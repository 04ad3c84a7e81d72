"""Telling a tracker of a run, without the run ever waiting for it or failing with it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from cfbench.monitoring.tracker import TrackedRun, Tracker
from cfbench.monitoring.watcher import Indifferent
from cfbench.records.record import Record

_Errand: TypeAlias = Callable[[], None]


@dataclass
class Tracking(Indifferent):
    """Hands records to a tracker in a thread of its own; gives it up at its first failure.

    Attributes:
        name: the tracker as the user wrote it.
        tracker: the tracker.
        run: what it is told at the beginning.
        complain: is told where tracking fails.
        patience: seconds that it may still take when the run is over.
    """

    name: str
    tracker: Tracker
    run: TrackedRun
    complain: Callable[[str], None]
    patience: float = 60.0
    _errands: queue.SimpleQueue[_Errand | None] = field(default_factory=queue.SimpleQueue)
    _files: Sequence[Path] | None = None

    def __enter__(self) -> Self:
        """Begin to track."""
        self._thread = threading.Thread(target=self._work, name=f"tracking by {self.name}", daemon=True)
        self._errands.put(partial(self.tracker.begin, self.run))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the tracker conclude, and wait for it as long as patience lasts."""
        self._errands.put(partial(self.tracker.end, self._files or (), complete=self._files is not None))
        self._errands.put(None)
        self._thread.join(self.patience)
        if self._thread.is_alive():
            self.complain(
                f"--track {self.name} had not taken everything {self.patience:g} s after the run; it is left behind"
            )

    def kept(self, record: Record) -> None:
        """Hand over a cell that was there."""
        self._errands.put(partial(self.tracker.cell, record, kept=True))

    def finished(self, record: Record) -> None:
        """Hand over what came of a cell."""
        self._errands.put(partial(self.tracker.cell, record, kept=False))

    def concluded(self, files: Sequence[Path]) -> None:
        """Remember what was written of the run, for the end."""
        self._files = tuple(files)

    def _work(self) -> None:
        while (errand := self._errands.get()) is not None:
            try:
                errand()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a tracker may raise anything; results must not be lost
                self.complain(
                    f"--track {self.name} failed and is given up, results are kept: {type(error).__name__}: {error}"
                )
                return
