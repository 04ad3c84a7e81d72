"""Facts of a record, as parameters, metrics and tags of an MLflow run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cfbench.execution import Record, figure_name

_MILLISECONDS = 1000
_LONGEST_TAG = 5000  # characters; MLflow 3 takes 8,000, older servers 5,000


def parameters(record: Record) -> dict[str, object]:
    """Return the cell's coordinates, and the model's parameters as ``model.NAME``."""
    cell = record.cell
    coordinates = {
        "model": cell.model,
        "dataset": cell.dataset,
        "split": cell.split,
        "fold": cell.fold,
        "repeat": cell.repeat,
        "seed": cell.base_seed,
        "list_length": cell.list_length,
        "device": cell.device,
        "threads": cell.threads,
    }
    return {**coordinates, **{f"model.{name}": value for name, value in cell.params.items()}}


def measurements(record: Record) -> dict[str, float]:
    """Return all figures that have a value, those of strata included, and what the cell took."""
    figures = {name: figure.value for name, figure in record.metrics.items()}
    for name, table in record.tables.items():
        for stratum, row in table.rows.items():
            figures |= {figure_name(name, stratum, key): figure.value for key, figure in row.items()}
    cost = record.cost
    taken = {
        **{f"seconds.{part}": seconds for part, seconds in cost.seconds.items()},
        **{f"cpu_seconds.{part}": seconds for part, seconds in cost.cpu_seconds.items()},
        "peak_memory_bytes": float(cost.peak_memory) if cost.peak_memory else None,
        "energy_kwh": cost.energy_kwh,
    }
    return {name: value for name, value in (figures | taken).items() if value is not None}


def curve(record: Record) -> Iterator[tuple[str, float, int]]:
    """Yield the learning curve as name, loss and epoch."""
    for epoch in record.losses:
        if epoch.train_loss is not None:
            yield "train_loss", epoch.train_loss, epoch.epoch
        if epoch.validation_loss is not None:
            yield "validation_loss", epoch.validation_loss, epoch.epoch


def tags(record: Record, *, kept: bool) -> dict[str, str]:
    """Return what identifies and explains the cell."""
    found = {
        "cfbench.key": record.cell.key,
        "cfbench.status": record.status,
        "cfbench.reason": record.reason,
        "cfbench.plugin": f"{record.cell.distribution} {record.cell.version}",
        "cfbench.kept": str(kept).lower(),
        **{f"cfbench.on.{name}": value for name, value in record.provenance.items()},
    }
    return {name: value[:_LONGEST_TAG] for name, value in found.items() if value}


def span(record: Record, now: float) -> tuple[int, int]:
    """Return when the cell began and ended, in milliseconds of Unix time; ``now`` where its record does not say."""
    finished = record.provenance.get("finished", "")
    ended = datetime.fromisoformat(finished).timestamp() if finished else now
    began = ended - sum(record.cost.seconds.values())
    return int(began * _MILLISECONDS), int(ended * _MILLISECONDS)
