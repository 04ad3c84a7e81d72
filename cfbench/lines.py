"""What a run's ``records.jsonl`` holds beside its records: all that tables are rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cfbench.record import SCHEMA, Figure, Record, Table


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
class Setting:
    """Under which conditions all models of one table were compared.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        fingerprint: sha256 of the data's content.
        scale: the rating scale, e.g. ``"1 to 5"``.
        relevant_from: the rating from which an item counts as liked.
        licence: the data's licence.
        citation: what to cite.
        seed: the run's base seed.
        folds: number of folds.
        repeats: fits of each model on each fold.
        counts: rows, users and items of training and test part, mean over folds.
        fallback: what stands in where a model cannot say (the training mean), mean over folds.
        resamples: samples of users behind every interval.
        cfbench: version of cfbench.
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
    schema_version: int = SCHEMA
    kind: Literal["setting"] = "setting"


@dataclass(frozen=True)
class Comparison:
    """A model against the best of its table in one metric, on the same users.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        metric: the metric compared.
        best: the model with the best value.
        model: the other model.
        difference: ``metric(model) - metric(best)``.
        low: lower end of the 95 % paired cluster-bootstrap interval of the difference; None where there are too
            few users to have one.
        high: upper end, or None.
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
    schema_version: int = SCHEMA
    kind: Literal["comparison"] = "comparison"

    @property
    def equal(self) -> bool:
        """Whether the two are the same on every resample."""
        return self.difference == 0.0 and self.low in (0.0, None) and self.high in (0.0, None)

    @property
    def tied(self) -> bool:
        """Whether the data cannot tell the two apart: the interval holds zero, or there is none."""
        return self.low is None or self.high is None or self.low <= 0.0 <= self.high


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
        tables: cell means of the strata tables; counts are summed over folds.
        not_applicable: why a metric has no value.
        seconds: wall seconds by part, mean over cells.
        cpu_seconds: CPU seconds likewise.
        peak_memory: largest peak of any cell, bytes.
        seed_spread: standard deviation of each metric over repeats, where there are several.
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
    tables: Mapping[str, Table]
    not_applicable: Mapping[str, str]
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    peak_memory: int
    seed_spread: Mapping[str, float] = field(default_factory=dict)
    schema_version: int = SCHEMA
    kind: Literal["summary"] = "summary"


Line: TypeAlias = Record | Setting | Definition | Summary | Comparison
"""One line of a consolidated file."""
