"""Lines of a run's ``records.jsonl``: all that tables are rendered from.

A :class:`Record` holds the result of one cell; it is also the unit of storing and resuming. All other lines are derived
from the records of a run. ``kind`` tells the lines of one file apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cfbench.records.cell import SCHEMA, Cell, GroupKey
from cfbench.resources.cost import Cost

ALPHA = 0.05
"""Family-wise error rate of comparing models, over all comparisons with the best of one metric, its strata included."""

MOST_EPOCHS = 10_000
"""The most points of a learning curve."""

LAST_EPOCH = 10**12
"""The largest number that an epoch may have."""

_MOST_VERSIONS, _LONGEST_VERSION, _LONGEST_TEXT = 2000, 1000, 20_000

Status: TypeAlias = Literal["ok", "failed", "timeout", "out-of-memory", "crashed", "skipped"]
"""Whether a cell succeeded, or in which way not.

``ok``: the model was fitted and answered; ``failed``: it raised, or broke its contract; ``timeout``: it took longer
than allowed; ``out-of-memory``: it asked for more memory than allowed, or than there is; ``crashed``: its process
died; ``skipped``: its plugin cannot be used here.
"""


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
    """Losses of one epoch as the model reported them: finite numbers, None where it has none or has diverged."""

    epoch: int
    train_loss: float | None
    validation_loss: float | None

    def __post_init__(self) -> None:
        if not 0 <= self.epoch <= LAST_EPOCH:
            raise ValueError(f"epoch: expected a number from 0 to {LAST_EPOCH}, got {self.epoch!s:.30}")
        if not all(loss is None or math.isfinite(loss) for loss in (self.train_loss, self.validation_loss)):
            raise ValueError("a loss is not finite")


@dataclass(frozen=True)
class Record:
    """Result of a cell.

    Attributes:
        cell: its coordinates.
        status: whether it succeeded, or in which way not.
        reason: why it is not ok, for a reader.
        metrics: figures by metric name.
        tables: strata tables by metric name.
        missing: metrics without a figure, by name.
        fallback: the value that replaces missing predictions (the training mean).
        cost: seconds and memory.
        losses: the learning curve; of one with 10,000 epochs or more, epochs at even distances and the
            last.
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

    def __post_init__(self) -> None:
        """Raise ValueError for what a model could make too long to be read, or to be shown."""
        if len(self.losses) > MOST_EPOCHS:
            raise ValueError(f"losses: expected up to {MOST_EPOCHS:,} epochs, got {len(self.losses):,}")
        versions = [text for pair in self.provenance.items() for text in pair]
        if len(versions) > _MOST_VERSIONS or any(len(text) > _LONGEST_VERSION for text in versions):
            raise ValueError("provenance: expected fewer or shorter texts")
        if max(len(self.reason), len(self.log_tail)) > _LONGEST_TEXT:
            raise ValueError(f"reason, log_tail: expected up to {_LONGEST_TEXT:,} characters")

    @property
    def failed_metrics(self) -> dict[str, str]:
        """The metrics whose own code raised, with the reason."""
        return {name: one.reason for name, one in self.missing.items() if one.status == "failed"}


@dataclass(frozen=True)
class Definition:
    """The exact definition of a metric, printed below the tables.

    Attributes:
        metric: the metric's name.
        contract: the fields of the metric's contract by name, without those that do not apply.
    """

    metric: str
    contract: Mapping[str, str]
    schema_version: int = SCHEMA
    kind: Literal["definition"] = "definition"


@dataclass(frozen=True)
class _GroupLine:
    """A line about one result group.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        n_given: known ratings of every held-out user or item, where the split is a point of a curve.
    """

    dataset: str
    split: str
    n_given: int | None = field(default=None, kw_only=True)
    schema_version: int = field(default=SCHEMA, kw_only=True)

    @property
    def group(self) -> GroupKey:
        """The key of the result group."""
        return (self.dataset, self.split, self.n_given)


@dataclass(frozen=True)
class RunConditions(_GroupLine):
    """Conditions under which all models of one result group were compared.

    Attributes:
        fingerprint: sha256 of the data's content.
        scale: the rating scale, e.g. ``"1 to 5"``.
        relevant_from: the rating from which an item counts as relevant.
        licence: the data's licence.
        citation: what to cite.
        seed: the run's base seed.
        folds: number of folds.
        repeats: fits of each model on each fold.
        counts: rows, users and items of training and test part, mean over folds.
        fallback: the value that replaces missing predictions (the training mean), mean over folds.
        resamples: bootstrap samples of users behind every interval.
        cfbench: version of cfbench.
        preprocessing: what was done to the data before it was split, with what was left of it, in order.
        warnings: findings of the sanity checks on the split.
        protections: what held while the cells ran, each combination once; empty where no record states it.
    """

    fingerprint: str
    scale: str
    relevant_from: float
    licence: str
    citation: str
    seed: int
    folds: int
    repeats: int
    counts: Mapping[str, float]
    fallback: float
    resamples: int
    cfbench: str
    preprocessing: tuple[str, ...] = ()
    warnings: tuple[SanityWarning, ...] = ()
    protections: tuple[str, ...] = ()
    kind: Literal["conditions"] = "conditions"


@dataclass(frozen=True)
class Comparison(_GroupLine):
    """A model against the best of its result group in one metric, on the same users.

    Attributes:
        metric: the metric compared, or a figure of one of its strata (:func:`cfbench.records.record.figure_name`).
        best: the model with the best value.
        model: the other model.
        difference: ``metric(model) - metric(best)``.
        low: lower end of the 95 % paired cluster-bootstrap interval of the difference; None where there are too
            few users for an interval.
        high: upper end, or None.
        p: p-value of no difference, by the same resamples; None where there is none.
        p_corrected: the same after Holm's correction for all comparisons with the best of the metric,
            its strata included.
        wilcoxon: p-value of the Wilcoxon signed-rank test on the values of single users, or None.
        wilcoxon_corrected: the same after Holm's correction.
    """

    metric: str
    best: str
    model: str
    difference: float
    low: float | None
    high: float | None
    p: float | None = None
    p_corrected: float | None = None
    wilcoxon: float | None = None
    wilcoxon_corrected: float | None = None
    kind: Literal["comparison"] = "comparison"

    @property
    def equal(self) -> bool:
        """Whether the two are the same on every resample."""
        return self.difference == 0.0 and self.low in (0.0, None) and self.high in (0.0, None)

    @property
    def tied(self) -> bool:
        """Whether the data cannot tell the two apart: the corrected p-value is not below 5 %, or there is none."""
        return self.p_corrected is None or self.p_corrected >= ALPHA


@dataclass(frozen=True)
class Summary(_GroupLine):
    """One model over the folds and repeats of one result group: a row of the tables.

    Attributes:
        model: the model as written.
        distribution: the distribution that registers it.
        version: that distribution's version.
        cells: number of cells planned.
        finished: how many of them are ok.
        reason: the first failure's reason, or an empty text.
        metrics: mean over the cells, with an interval over users pooled over folds.
        tables: the strata tables, folds pooled; counts are summed over folds.
        missing: metrics without a figure, by name.
        seconds: wall seconds by part, mean over cells.
        cpu_seconds: CPU seconds likewise.
        peak_memory: largest peak of any cell, bytes.
        threads: threads allowed to each cell.
        device: what the cells ran on, e.g. ``"cpu"``.
        seed_spread: standard deviation of each metric over repeats, where there are several.
        fold_spread: standard deviation of each metric over folds, likewise.
        warnings: findings of the sanity checks on the model's output, each once.
    """

    model: str
    distribution: str
    version: str
    cells: int
    finished: int
    reason: str
    metrics: Mapping[str, Figure]
    tables: Mapping[str, StrataTable]
    missing: Mapping[str, MissingMetric]
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    peak_memory: int
    threads: int = 1
    device: str = ""
    seed_spread: Mapping[str, float] = field(default_factory=dict)
    fold_spread: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[SanityWarning, ...] = ()
    kind: Literal["summary"] = "summary"


@dataclass(frozen=True)
class Standing:
    """Models over several data sets under one splitter, by their mean ranks in one metric.

    Attributes:
        split: the split's name.
        metric: the metric ranked by.
        datasets: the data sets, three or more.
        mean_ranks: mean rank of every model that has a value on all of them, 1 = best, best first.
        p: p-value of Friedman's test that all models are alike.
        critical_difference: mean ranks that differ by less are not told apart (Nemenyi, at 5 %).
    """

    split: str
    metric: str
    datasets: tuple[str, ...]
    mean_ranks: Mapping[str, float]
    p: float
    critical_difference: float
    schema_version: int = SCHEMA
    kind: Literal["standing"] = "standing"


Line: TypeAlias = Record | RunConditions | Definition | Summary | Comparison | Standing
"""One line of ``records.jsonl``."""
