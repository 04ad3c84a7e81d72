"""Store of MLflow: one experiment, and what is logged to it. Importing this module imports MLflow."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from cfbench_mlflow.names import with_legal_names

T = TypeVar("T")

_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE = 1000, 100  # what MLflow takes in one request
_LONGEST_PARAMETER = 500  # characters; MLflow 3 takes 6,000, older servers 500


@dataclass(frozen=True)
class ExperimentStore:
    """One experiment of a store.

    Attributes:
        client: the client of the store.
        experiment: the experiment's id.
    """

    client: MlflowClient
    experiment: str

    @classmethod
    def open(cls, uri: str, experiment: str, artifacts: str | None) -> ExperimentStore:
        """Open a store and find the experiment, or make it with its files at ``artifacts``."""
        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        if known is not None:
            return cls(client, str(known.experiment_id))
        return cls(client, str(client.create_experiment(experiment, artifact_location=artifacts)))

    def begin(self, tags: Mapping[str, str], began: int | None = None) -> str:
        """Begin a run, at Unix time ``began`` in milliseconds or now; return its id."""
        return str(self.client.create_run(self.experiment, start_time=began, tags=dict(tags)).info.run_id)

    def parameters(self, run: str, values: Mapping[str, object]) -> None:
        """Log parameters as text."""
        params = (Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in with_legal_names(values).items())
        for batch in _in_batches(params, _PARAMETERS_AT_ONCE):
            self.client.log_batch(run, params=batch)

    def metrics(self, run: str, points: Iterable[tuple[str, float, int]], moment: int) -> None:
        """Log name, value and step, under legal names, all as of Unix time ``moment`` in milliseconds."""
        logged = (Metric(name, value, moment, step) for name, value, step in points)
        for batch in _in_batches(logged, _METRICS_AT_ONCE):
            self.client.log_batch(run, metrics=batch)

    def files(self, run: str, paths: Sequence[Path]) -> None:
        """Log files as artifacts."""
        for path in paths:
            self.client.log_artifact(run, str(path))

    def end(self, run: str, status: str, ended: int | None = None) -> None:
        """End a run as ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self.client.set_terminated(run, status, ended)


def _in_batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
