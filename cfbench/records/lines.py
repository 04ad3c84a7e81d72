"""Derived lines of a run's ``records.jsonl``: with the records, all that tables are rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cfbench.records.record import ALPHA, SCHEMA, Figure, GroupKey, MissingMetric, Record, SanityWarning, StrataTable


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
        p_corrected: the same after Holm's correction for all pairs of the metric, its strata included.
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
