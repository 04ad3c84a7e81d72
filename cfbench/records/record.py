"""Lines of a run's ``records.jsonl``: records of cells, and what tables are rendered from.

A :class:`Record` holds what came of one cell; it is also the unit of storing and resuming. All other lines are derived
from the records of a run: :class:`RunConditions`, :class:`Definition`, :class:`Summary`, :class:`Comparison` and
:class:`Standing`. ``kind`` tells the lines of one file apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from cfbench.resources.cost import Cost
from cfbench.spec import Spec

SCHEMA = 3
"""Version of the stored form; lines and cells of another version are refused."""

ALPHA = 0.05
"""Family-wise error rate of comparing models, over all pairs of one metric."""

Status: TypeAlias = Literal["ok", "failed", "timeout", "out-of-memory", "crashed", "skipped"]
"""What came of a cell.

* ``ok``: the model was fitted and answered;
* ``failed``: the model raised, or broke its contract;
* ``timeout``: it took longer than allowed;
* ``out-of-memory``: it asked for more memory than allowed, or than there is;
* ``crashed``: its process died;
* ``skipped``: its plugin cannot be used here.
"""

GroupKey: TypeAlias = tuple[str, str, int | None]
"""Data set, split, and point of a curve: what all models of one table have in common."""


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
        n_given: known ratings of every held-out user or item, where the split is a point of a curve.
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
        # Parameters are a mapping, which has no hash; equality still compares all fields.
        return hash(str(self))

    @property
    def key(self) -> str:
        """Content address: equal exactly for cells that must give equal answers."""
        content = {name: value for name, value in asdict(self).items() if name not in ("dataset", "split", "model")}
        content["model_name"] = Spec.parse(self.model).name
        text = json.dumps({"schema": SCHEMA, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def group(self) -> GroupKey:
        """The result group that the cell belongs to."""
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
        low: lower end of the interval, or None; those that resample users are in summaries, not in records.
        high: upper end of the interval, or None.
        n: number of units (users, rows, items) it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class StrataTable:
    """A metric with several figures for each stratum of users, items or ratings.

    Attributes:
        rows: figures by name, by stratum.
        facts: numbers about the whole table, by name.
    """

    rows: Mapping[str, Mapping[str, Figure]]
    facts: Mapping[str, float | None]


def figure_name(table: str, stratum: str, figure: str) -> str:
    """Return the name of one figure of a strata table, e.g. ``"cold-users: 0: RMSE"``; comparisons use it."""
    return f"{table}: {stratum}: {figure}"


@dataclass(frozen=True)
class MissingMetric:
    """A metric without a figure.

    Attributes:
        status: ``not-applicable`` (the metric needs what the model or the data lack) or ``failed`` (the metric's own
            code raised; the cell is not at fault).
        reason: why, in one sentence.
    """

    status: Literal["not-applicable", "failed"]
    reason: str


@dataclass(frozen=True)
class SanityWarning:
    """A finding of a sanity check that a reader should know before trusting a figure.

    Attributes:
        code: the check, e.g. ``"few-users"``.
        text: what was found and what it may mean, in one sentence.
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
        status: whether it succeeded, or in which way not.
        reason: why it is not ok, for a reader.
        metrics: figures by metric name.
        tables: strata tables by metric name.
        missing: metrics without a figure, by name.
        fallback: the value that replaces missing predictions (the training mean).
        cost: seconds and memory.
        losses: the learning curve.
        warnings: findings of the sanity checks on the model's output.
        provenance: versions and machine.
        log_tail: the last lines that its process printed, where it is not ok.
    """

    cell: Cell
    status: Status
    reason: str = ""
    metrics: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, StrataTable] = field(default_factory=dict)
    missing: Mapping[str, MissingMetric] = field(default_factory=dict)
    fallback: float | None = None
    cost: Cost = field(default_factory=Cost)
    losses: tuple[Epoch, ...] = ()
    warnings: tuple[SanityWarning, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    log_tail: str = ""
    schema_version: int = SCHEMA
    kind: Literal["record"] = "record"

    @property
    def failed_metrics(self) -> dict[str, str]:
        """The metrics whose own code raised, with the reason."""
        return {name: one.reason for name, one in self.missing.items() if one.status == "failed"}
