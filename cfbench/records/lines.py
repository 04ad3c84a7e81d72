"""What a run's ``records.jsonl`` holds beside its records: all that tables are rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cfbench.records.record import SCHEMA, Figure, Record, SanityWarning, StrataTable

ALPHA = 0.05
"""The risk of calling models different that are not, over all pairs of one metric."""


@dataclass(frozen=True)
class Definition:
    """The exact definition of a metric, as its contract states it; printed below the tables.

    Attributes:
        metric: the metric's name.
        contract: the contract's fields by name, those that do not apply left out.
        kind: tells definitions from records in one file.
    """

    metric: str
    contract: Mapping[str, str]
    schema_version: int = SCHEMA
    kind: Literal["definition"] = "definition"


@dataclass(frozen=True)
class RunConditions:
    """Under which conditions all models of one table were compared.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        fingerprint: sha256 of the data's content.
        scale: the rating scale, e.g. ``"1 to 5"``.
        relevant_from: the rating from which an item counts as relevant.
        licence: the data's licence.
        citation: what to cite.
        seed: the run's base seed.
        folds: number of folds.
        repeats: fits of each model on each fold.
        counts: rows, users and items of training and test part, mean over folds.
        fallback: what stands in where a model cannot say (the training mean), mean over folds.
        resamples: samples of users behind every interval.
        cfbench: version of cfbench.
        n_given: ratings given back to every held-out user or item, where the split is a point of a curve.
        preprocessing: what was done to the data before it was split, with what was left of it, in order.
        warnings: what looks wrong about the split.
        kind: tells settings from records in one file.
    """

    dataset: str
    split: str
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
    n_given: int | None = None
    preprocessing: tuple[str, ...] = ()
    warnings: tuple[SanityWarning, ...] = ()
    schema_version: int = SCHEMA
    kind: Literal["conditions"] = "conditions"


@dataclass(frozen=True)
class Comparison:
    """A model against the best of its table in one metric, on the same users.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        metric: the metric compared, or a figure of one of its strata (:func:`cfbench.records.record.figure_name`).
        best: the model with the best value.
        model: the other model.
        difference: ``metric(model) - metric(best)``.
        low: lower end of the 95 % paired cluster-bootstrap interval of the difference; None where there are too
            few users to have one.
        high: upper end, or None.
        p: p-value of no difference, by the same resamples; None where it cannot be had.
        p_corrected: the same after Holm's correction for all pairs of the metric, its strata included.
        wilcoxon: p-value of the Wilcoxon signed-rank test on the values of single users, or None.
        wilcoxon_corrected: the same after Holm's correction.
        n_given: ratings given back to every held-out user or item, where the split is a point of a curve.
        kind: tells comparisons from records in one file.
    """

    dataset: str
    split: str
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
    n_given: int | None = None
    schema_version: int = SCHEMA
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
class Summary:
    """One model over the folds and repeats of one split: what a table's row shows.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        model: the model as written.
        distribution: who registers it.
        version: in which version.
        cells: how many cells there should be.
        finished: how many of them are ok.
        reason: the first failure's reason, or an empty text.
        metrics: mean over the cells, with an interval over users pooled over folds.
        tables: the strata tables, folds pooled; counts are summed over folds.
        not_applicable: why a metric has no value.
        seconds: wall seconds by part, mean over cells.
        cpu_seconds: CPU seconds likewise.
        peak_memory: largest peak of any cell, bytes.
        threads: threads allowed to each cell.
        device: what the cells ran on, e.g. ``"cpu"``.
        seed_spread: standard deviation of each metric over repeats, where there are several.
        fold_spread: standard deviation of each metric over folds, likewise.
        n_given: ratings given back to every held-out user or item, where the split is a point of a curve.
        warnings: what looks wrong about the model's answers, each once.
        kind: tells summaries from records in one file.
    """

    dataset: str
    split: str
    model: str
    distribution: str
    version: str
    cells: int
    finished: int
    reason: str
    metrics: Mapping[str, Figure]
    tables: Mapping[str, StrataTable]
    not_applicable: Mapping[str, str]
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    peak_memory: int
    threads: int = 1
    device: str = ""
    seed_spread: Mapping[str, float] = field(default_factory=dict)
    fold_spread: Mapping[str, float] = field(default_factory=dict)
    n_given: int | None = None
    warnings: tuple[SanityWarning, ...] = ()
    schema_version: int = SCHEMA
    kind: Literal["summary"] = "summary"


@dataclass(frozen=True)
class Standing:
    """Models over several data sets under one splitter, by their ranks in one metric.

    Attributes:
        split: the split's name.
        metric: the metric ranked by.
        datasets: the data sets, three or more.
        mean_ranks: mean rank of every model that has a value on all of them, 1 = best, best first.
        p: p-value of Friedman's test that all models are alike.
        critical_difference: mean ranks that differ by less are not told apart (Nemenyi, at 5 %).
        kind: tells standings from records in one file.
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
"""One line of a consolidated file."""
