"""Tracker: one MLflow run per cell, inside one run per suite."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cfbench.execution import Record, RunDescription, RunEvents
from cfbench_mlflow.facts import curve, measurements, parameters, span, tags
from cfbench_mlflow.names import with_legal_names

_SQLITE = "sqlite:///"
_LOCAL = "sqlite:///mlflow.db"


@dataclass
class MLflow(RunEvents):
    """Keeps runs in MLflow: parameters, metrics, learning curves, tables.

    ``uri`` is a tracking server or database; None takes ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db`` in the
    current folder. Files of a SQLite store go to ``mlflow-artifacts`` beside it, unless ``artifacts`` names a place;
    of an experiment that exists its own place is used.
    """

    uri: str | None = None
    experiment: str = "cfbench"
    artifacts: str | None = None

    def __post_init__(self) -> None:
        self.uri_ = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or _LOCAL
        if "://" not in self.uri_ or self.uri_.startswith("file:"):
            raise ValueError(
                f"uri={self.uri_!r}: MLflow's folder stores are retired; take sqlite:///PATH or a server's https://..."
            )

    def run_started(self, run: RunDescription) -> None:
        """Open the store and begin the run of the suite."""
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seven take minutes to say that nobody is there
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, when MLflow is imported
        from cfbench_mlflow.store import ExperimentStore  # noqa: PLC0415 - MLflow takes a second to import

        self._store = ExperimentStore.open(self.uri_, self.experiment, self._place())
        described = str(run.settings.get("description") or "")
        self._suite = self._store.begin(
            {
                "mlflow.runName": run.suite,
                "cfbench.folder": str(run.folder),
                "cfbench.version": run.version,
                **({"mlflow.note.content": described} if described else {}),
            }
        )
        settings = {name: run.settings.get(name) for name in ("seed", "repeats")}
        self._store.parameters(self._suite, {"suite": run.suite, "cells": len(run.cells), **settings})

    def cell_kept(self, record: Record) -> None:
        """Log a cell that an earlier run finished."""
        self._log(record, kept=True)

    def cell_finished(self, record: Record) -> None:
        """Log a cell that this run computed."""
        self._log(record, kept=False)

    def _log(self, record: Record, *, kept: bool) -> None:
        """Log a cell as a run of its own inside the suite's."""
        began, ended = span(record, time.time())
        place = {"mlflow.parentRunId": self._suite, "mlflow.runName": str(record.cell)}
        run = self._store.begin(tags(record, kept=kept) | place, began)
        self._store.parameters(run, parameters(record))
        figures = with_legal_names(measurements(record))
        self._store.metrics(run, [*((name, value, 0) for name, value in figures.items()), *curve(record)], ended)
        self._store.end(run, "FINISHED" if record.status == "ok" else "FAILED", ended)

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:
        """Hand the tables over and end the run of the suite."""
        self._store.files(self._suite, files)
        self._store.end(self._suite, "FINISHED" if complete else "KILLED")

    def _place(self) -> str | None:
        """Return where files of a new experiment go; a server decides for itself."""
        if self.artifacts is None and self.uri_.startswith(_SQLITE):
            return (Path(self.uri_.removeprefix(_SQLITE)).absolute().parent / "mlflow-artifacts").as_uri()
        return self.artifacts
