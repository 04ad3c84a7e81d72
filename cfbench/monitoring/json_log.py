"""The events of a run as JSON, one object a line, for programs that watch it."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from cfbench.errors import UsageError
from cfbench.execution.run_events import RunDescription, RunEvents
from cfbench.execution.task import Task
from cfbench.model.protocols import EpochReport
from cfbench.records.record import Cell, Record


@dataclass
class JsonLog(RunEvents):
    """Writes every event but ``usage`` as a line, at once; what cannot be written any more is given up, and told.

    Every line has ``time`` (ISO 8601, UTC) and ``event``; those of a cell have ``cell``: ``key``, ``model``,
    ``dataset``, ``split``, ``fold``, ``repeat``.

    ``run-started`` (``suite``, ``folder``, ``cells``, ``cfbench``) · ``cell-started`` · ``cell-phase`` (``phase``) ·
    ``cell-epoch`` (``epoch``, ``epochs``, ``train_loss``, ``validation_loss``) · ``cell-finished`` and ``cell-kept``
    (``status``, ``reason``, ``metrics``, ``seconds``, ``cpu_seconds``, ``peak_memory``, ``energy_kwh``) · ``note``
    (``text``) · ``run-finished`` (``seconds``, ``statuses``, ``kept``, ``missing``, ``interrupted``).

    Attributes:
        stream: takes the lines.
        complain: is told once where a line cannot be written any more; results matter more than their log.
        close_stream: whether the stream is closed when the run is over.
    """

    stream: TextIO
    complain: Callable[[str], None]
    close_stream: bool = False
    broken: bool = False
    kept_cells: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    cells: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def to(cls, target: str, complain: Callable[[str], None]) -> JsonLog:
        """Open the log: ``"-"`` is standard error, anything else a file that lines are added to.

        Raises UsageError where the file cannot be opened.
        """
        if target == "-":
            return cls(sys.stderr, complain)
        if target.startswith("-"):
            raise UsageError(
                f"--log-json needs a file, or - for standard error; got {target!r}, which looks like an option"
            )
        try:
            stream = Path(target).open("a", encoding="utf-8")  # noqa: SIM115 - closed when the run is over
            if _is_torn(Path(target)):
                stream.write("\n")
        except OSError as error:
            raise UsageError(
                f"--log-json {target} cannot be written: {error.strerror}; name a file in a folder that you may write"
            ) from error
        return cls(stream, complain, close_stream=True)

    def run_started(self, run: RunDescription) -> None:
        """Write what is going to be run."""
        self.cells = {cell.key: _coordinates(cell) for cell in run.cells}
        self._write("run-started", suite=run.suite, folder=str(run.folder), cells=len(run.cells), cfbench=run.version)

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:  # noqa: ARG002 - readers know the folder
        """Write the totals, and close the log."""
        ended = self.kept_cells + self.statuses.total()
        self._write(
            "run-finished",
            seconds=round(time.monotonic() - self.began, 3),
            statuses=dict(sorted(self.statuses.items())),
            kept=self.kept_cells,
            missing=max(0, len(self.cells) - ended),
            interrupted=not complete,
        )
        if self.close_stream:
            with suppress(OSError):  # what is left in the buffer of a log that is broken already
                self.stream.close()

    def cell_started(self, task: Task) -> None:
        """Tell that a cell begins."""
        self._write("cell-started", cell=self.cells[task.name])

    def cell_phase(self, task: Task, name: str) -> None:
        """Tell what a cell goes over to."""
        self._write("cell-phase", cell=self.cells[task.name], phase=name)

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """Tell what a model reports."""
        self._write("cell-epoch", cell=self.cells[task.name], **vars(report))

    def cell_kept(self, record: Record) -> None:
        """Tell what is known of a kept cell."""
        self.kept_cells += 1
        self._write("cell-kept", cell=_coordinates(record.cell), **_outcome(record))

    def cell_finished(self, record: Record) -> None:
        """Tell what came of a cell."""
        self.statuses[record.status] += 1
        self._write("cell-finished", cell=_coordinates(record.cell), **_outcome(record))

    def note(self, text: str) -> None:
        """Tell a remark."""
        self._write("note", text=text)

    def _write(self, event: str, **facts: object) -> None:
        if self.broken:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": moment, "event": event, **_plain(facts)}, allow_nan=False)
        try:
            self.stream.write(line + "\n")
            self.stream.flush()
        except OSError as error:
            self.broken = True
            self.complain(f"the JSON log cannot be written any more: {error.strerror or error}; the run goes on")


def _is_torn(path: Path) -> bool:
    """Whether a file ends within a line, as a run that was killed while it wrote one leaves it."""
    if path.is_file() and path.stat().st_size:
        with suppress(OSError), path.open("rb") as file:  # it may be there for writing alone
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    return False


def _coordinates(cell: Cell) -> dict[str, object]:
    return {
        "key": cell.key,
        "model": cell.model,
        "dataset": cell.dataset,
        "split": cell.split,
        "fold": cell.fold,
        "repeat": cell.repeat,
    }


def _outcome(record: Record) -> dict[str, object]:
    cost = record.cost
    return {
        "status": record.status,
        "reason": record.reason,
        "metrics": {name: figure.value for name, figure in record.metrics.items()},
        "seconds": dict(cost.seconds),
        "cpu_seconds": dict(cost.cpu_seconds),
        "peak_memory": cost.peak_memory,
        "energy_kwh": cost.energy_kwh,
    }


def _plain(value: Any) -> Any:
    """Bring facts to what JSON can say: a loss that is not a finite number becomes its name."""
    match value:
        case Mapping():
            return {key: _plain(one) for key, one in value.items()}
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
