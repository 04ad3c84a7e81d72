"""JSON log of a run: its events, one object a line, for programs that watch it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TextIO

from cfbench.errors import UsageError
from cfbench.execution.contract import RunDescription, RunEvents, Task
from cfbench.model.protocols import EpochReport
from cfbench.records.cell import Cell
from cfbench.records.record import Record


@dataclass
class JsonLog(RunEvents):
    """Log of every event but ``usage``, a line each, at once; one that cannot be written is reported and given up.

    Every line has ``time`` (ISO 8601, UTC) and ``event``; those of a cell have ``cell``: ``key``, ``model``,
    ``dataset``, ``split``, ``fold``, ``repeat``.

    ``run-started`` (``suite``, ``folder``, ``cells``, ``cfbench``) · ``cell-started`` · ``cell-phase`` (``phase``) ·
    ``cell-epoch`` (``epoch``, ``epochs``, ``train_loss``, ``validation_loss``) · ``cell-finished`` and ``cell-kept``
    (``status``, ``reason``, ``metrics``, ``seconds``, ``cpu_seconds``, ``peak_memory``, ``energy_kwh``) · ``note``
    (``text``) · ``run-finished`` (``seconds``, ``statuses``, ``kept``, ``missing``, ``interrupted``).

    Attributes:
        stream: takes the lines.
        complain: called once with a message where a line cannot be written; results matter more than their log.
        close_stream: whether the stream is closed when the run is over.
    """

    stream: TextIO
    complain: Callable[[str], None]
    close_stream: bool = False
    _broken: bool = False
    _kept: int = 0
    _statuses: Counter[str] = field(default_factory=Counter)
    _began: float = field(default_factory=time.monotonic)
    _cells: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def open(cls, target: str, complain: Callable[[str], None]) -> Self:
        """Open the log: ``"-"`` is standard error, anything else a file that lines are added to.

        Raises UsageError where the file cannot be opened.
        """
        if target == "-":
            return cls(sys.stderr, complain)
        if target.startswith("-"):
            raise UsageError(
                f"--log-json needs a file, or - for standard error; got {target!r}, which looks like an option"
            )
        path = Path(target)
        try:
            stream = path.open("a", encoding="utf-8")
            if path.is_file() and path.stat().st_size:
                with suppress(OSError), path.open("rb") as file:  # it may be there for writing alone
                    file.seek(-1, os.SEEK_END)
                    if file.read() != b"\n":  # a run was killed while it wrote a line
                        stream.write("\n")
        except OSError as error:
            raise UsageError(
                f"--log-json {target} cannot be written: {error.strerror}; name a file in a folder that you may write"
            ) from error
        return cls(stream, complain, close_stream=True)

    def run_started(self, run: RunDescription) -> None:
        """Write what is going to be run."""
        self._cells = {cell.key: _coordinates(cell) for cell in run.cells}
        self._write("run-started", suite=run.suite, folder=str(run.folder), cells=len(run.cells), cfbench=run.version)

    def cell_started(self, task: Task) -> None:
        """Write that a cell begins."""
        self._write("cell-started", cell=self._cells[task.name])

    def cell_phase(self, task: Task, name: str) -> None:
        """Write which phase a cell enters."""
        self._write("cell-phase", cell=self._cells[task.name], phase=name)

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """Write what a model reports."""
        self._write("cell-epoch", cell=self._cells[task.name], **vars(report))

    def cell_kept(self, record: Record) -> None:
        """Write the outcome of a kept cell."""
        self._kept += 1
        self._write_outcome("cell-kept", record)

    def cell_finished(self, record: Record) -> None:
        """Write the outcome of a cell."""
        self._statuses[record.status] += 1
        self._write_outcome("cell-finished", record)

    def note(self, text: str) -> None:
        """Write a remark."""
        self._write("note", text=text)

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:  # noqa: ARG002 - readers know the folder
        """Write the totals, and close the log."""
        self._write(
            "run-finished",
            seconds=round(time.monotonic() - self._began, 3),
            statuses=dict(sorted(self._statuses.items())),
            kept=self._kept,
            missing=max(0, len(self._cells) - self._kept - self._statuses.total()),
            interrupted=not complete,
        )
        if self.close_stream:
            with suppress(OSError):  # the buffer of a log that is broken already cannot be written
                self.stream.close()

    def _write_outcome(self, event: str, record: Record) -> None:
        metrics = {name: figure.value for name, figure in record.metrics.items()}
        cost = {name: getattr(record.cost, name) for name in ("seconds", "cpu_seconds", "peak_memory", "energy_kwh")}
        outcome = {"status": record.status, "reason": record.reason, "metrics": metrics, **cost}
        self._write(event, cell=_coordinates(record.cell), **outcome)

    def _write(self, event: str, **fields: object) -> None:
        if self._broken:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # JSON has no NaN and no infinity, which a loss may be: they become their names.
        plain = json.loads(json.dumps(fields, default=dict), parse_constant=lambda name: str(float(name)))
        line = json.dumps({"time": moment, "event": event, **plain}, allow_nan=False)
        try:
            self.stream.write(line + "\n")
            self.stream.flush()
        except OSError as error:
            self._broken = True
            self.complain(f"the JSON log cannot be written any more: {error.strerror or error}; the run goes on")


def _coordinates(cell: Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in ("key", "model", "dataset", "split", "fold", "repeat")}
