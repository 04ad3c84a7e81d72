"""One cell of a benchmark and what came of it: the unit of storing, resuming and publishing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from cfbench.resources.cost import Cost
from cfbench.spec import Spec

SCHEMA = 3
"""Version of the stored form; a record of another version is not trusted."""

Status: TypeAlias = Literal["ok", "failed", "timeout", "out-of-memory", "crashed", "skipped"]


@dataclass(frozen=True)
class Cell:
    """Coordinates of one fit: dataset x split x fold x model x parameters x repeat.

    Attributes:
        dataset: the data set as the user wrote it, e.g. ``"ml-100k"`` or ``"synthetic[seed=3]"``.
        split: the splitter likewise.
        fold: the fold's name, ``""`` for a single one.
        split_fingerprint: content of data and membership; see :attr:`cfbench.data.splits.split.Split.fingerprint`.
        model: the model as the user wrote it.
        params: all parameters of the model, defaults included.
        distribution: the distribution that registers the model.
        version: that distribution's version.
        code: digest of that distribution's sources.
        base_seed: the run's seed.
        repeat: 0 for the first fit of these coordinates; each repeat has its own model seed.
        list_length: length of the top-k lists asked for.
        n_given: ratings given back to every held-out user or item, where the split is a point of a curve.
        features: content of the side information, :attr:`cfbench.data.dataset.Dataset.features_fingerprint`.
        device: the device asked for.
        threads: threads allowed to the model.
    """

    dataset: str
    split: str
    fold: str
    split_fingerprint: str
    model: str
    params: Mapping[str, Any]
    distribution: str
    version: str
    code: str
    base_seed: int
    repeat: int
    list_length: int
    n_given: int | None = None
    features: str = ""
    device: str = "auto"
    threads: int = 1

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def key(self) -> str:
        """Content address: equal exactly for cells that must give equal answers."""
        content = {name: value for name, value in asdict(self).items() if name not in ("dataset", "split", "model")}
        content["model_name"] = Spec.parse(self.model).name
        text = json.dumps({"schema": SCHEMA, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def group(self) -> tuple[str, str, int | None]:
        """What models are compared in: data set, split, point of the curve."""
        return (self.dataset, self.split, self.n_given)

    @property
    def installed(self) -> bool:
        """Whether the model's plugin was installed when the cell was planned."""
        return bool(self.version)

    def __str__(self) -> str:
        where = f"{self.dataset} {self.split}" + (f" {self.fold}" if self.fold else "")
        return f"{self.model} on {where}" + (f" repeat {self.repeat}" if self.repeat else "")


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95 % interval where there is one.

    Attributes:
        value: the value, None where it is not defined (nothing to average).
        low: lower end of the interval, or None; those that resample users stand in summaries, not in records.
        high: upper end of the interval, or None.
        n: how many units (users, rows, items) it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class StrataTable:
    """A metric that is a table: figures by stratum, and facts of the whole."""

    rows: Mapping[str, Mapping[str, Figure]]
    facts: Mapping[str, float | None]


def figure_name(table: str, stratum: str, figure: str) -> str:
    """Return the name of one figure of a table, under which models are compared: ``"cold-users: 0: RMSE"``."""
    return f"{table}: {stratum}: {figure}"


@dataclass(frozen=True)
class SanityWarning:
    """What a reader should know before believing a figure.

    Attributes:
        code: which guard speaks, e.g. ``"few-users"``.
        text: one sentence: what was found, and what it may mean.
    """

    code: str
    text: str


@dataclass(frozen=True)
class Epoch:
    """Losses of one epoch as the model reported them."""

    epoch: int
    train_loss: float | None
    validation_loss: float | None


@dataclass(frozen=True)
class Record:
    """What came of a cell.

    Attributes:
        cell: its coordinates.
        status: ``ok``; ``failed`` (raised, or broke the contract); ``timeout`` (took longer than allowed);
            ``out-of-memory`` (asked for more than is allowed, or than there is); ``crashed`` (its process died);
            ``skipped`` (the plugin cannot be used here).
        reason: why it is not ok, for a reader.
        metrics: figures by metric name.
        tables: figures by stratum, by metric name.
        not_applicable: why a metric has no value, by metric name.
        broken_metrics: how a metric failed on these answers, by metric name; the cell itself is not at fault.
        fallback: the one value that stands in where the model could not say (the training mean).
        cost: seconds and memory.
        losses: the learning curve.
        warnings: what looks wrong about these answers.
        provenance: versions and machine.
        log_tail: the last lines that its process printed, where it is not ok.
        kind: tells records from the other lines of one file.
    """

    cell: Cell
    status: Status
    reason: str = ""
    metrics: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, StrataTable] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    broken_metrics: Mapping[str, str] = field(default_factory=dict)
    fallback: float | None = None
    cost: Cost = field(default_factory=Cost)
    losses: tuple[Epoch, ...] = ()
    warnings: tuple[SanityWarning, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    log_tail: str = ""
    schema_version: int = SCHEMA
    kind: Literal["record"] = "record"
