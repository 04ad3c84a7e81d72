"""Metrics of one cell from raw output and truth. Pure: nothing is fitted, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cfbench.evaluation.metrics import Breakdown, Evaluation, Metric, NotApplicable, PerUser, Pooled, Single
from cfbench.evaluation.metrics.metric import Measurement, Need, length_needed
from cfbench.evaluation.statistics.bootstrap import Resampleable
from cfbench.records.record import Figure, MissingMetric, StrataTable, figure_name

# The array of the output that meets a need, and why a metric is not applicable without it.
_NEEDED: Mapping[Need, tuple[str, str]] = {
    "ratings": ("predictions", "the model ranks only and predicts no ratings"),
    "lists": ("lists", "the model gave no lists"),
    "scores": ("score_means", "the model gave no scores of the catalogue"),
    "embeddings": ("item_factors", "the model shows no item embeddings"),
}


@dataclass
class Measured:
    """Results of all metrics on one model's output. Every metric is in one of the first three, by name.

    Attributes:
        figures: of metrics with one value.
        tables: of metrics with a table by stratum.
        missing: of metrics that do not apply or have failed, and why.
        sums: the sums over users behind figures, by metric name, and behind figures of strata, by
            :func:`cfbench.records.record.figure_name`: what can be resampled.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, StrataTable] = field(default_factory=dict)
    missing: dict[str, MissingMetric] = field(default_factory=dict)
    sums: dict[str, Resampleable] = field(default_factory=dict)

    def add(self, name: str, result: Measurement, n_users: int) -> None:
        """Add what a metric returned; raises TypeError or ValueError where it is not what its contract demands."""
        match result:
            case PerUser() | Pooled():
                self.figures[name], self.sums[name] = _figure(result, n_users), result
            case Single():
                low, high = result.interval or (math.nan, math.nan)
                self.figures[name] = Figure(finite(result.value), finite(low), finite(high), result.n)
            case Breakdown():
                rows: dict[str, dict[str, Figure]] = {stratum: {} for stratum in result.rows}
                for stratum, figures in result.rows.items():
                    for key, one in figures.items():
                        if isinstance(one, PerUser):
                            rows[stratum][key] = _figure(one, n_users)
                            self.sums[figure_name(name, stratum, key)] = one
                        else:
                            rows[stratum][key] = Figure(finite(one))
                self.tables[name] = StrataTable(rows, {fact: finite(value) for fact, value in result.facts.items()})
            case NotApplicable():
                self.missing[name] = MissingMetric("not-applicable", result.reason)
            case _:
                raise TypeError(
                    "measure must return PerUser, Pooled, Single, Breakdown or NotApplicable, "
                    f"got {type(result).__name__}"
                )

    def n_users(self, metrics: Sequence[Metric]) -> dict[str, int]:
        """Return how many users contribute to each figure that tables show, by the name that it is shown by."""
        names: dict[str, str] = {}
        for metric in metrics:
            strata = self.tables[metric.name].rows if metric.name in self.tables else ()
            names[metric.name] = metric.name
            names |= {f"{metric.name} {one}": figure_name(metric.name, one, metric.contract.figure) for one in strata}
        return {shown: self.sums[name].n_users for shown, name in names.items() if name in self.sums}


def measure(evaluation: Evaluation, metrics: Sequence[Metric]) -> Measured:
    """Return the results of all metrics; intervals come later, when models are compared."""
    lacking = {need: why for need, (array, why) in _NEEDED.items() if getattr(evaluation.output, array) is None}
    if evaluation.cost.model_bytes is None:
        lacking["saved-model"] = "the model cannot be saved, or was not in this run"
    measured = Measured()
    for metric in metrics:
        reasons = [lacking[need] for need in metric.contract.needs if need in lacking]
        try:
            result = NotApplicable(reasons[0]) if reasons else apply_metric(metric, evaluation)
            measured.add(metric.name, result, len(evaluation.test_user_positions))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a metric may raise anything; fits must not be lost
            measured.missing[metric.name] = MissingMetric("failed", f"{type(error).__name__}: {error}")
    return measured


def apply_metric(metric: Metric, evaluation: Evaluation) -> Measurement:
    """Return what ``metric`` measures, on lists cut to the metric's ``k`` where it has one.

    Raises UsageError where the lists are shorter, and whatever the metric raises.
    """
    k = length_needed(metric)
    return metric.measure(evaluation.of_first(k) if k else evaluation)


def finite(value: float) -> float | None:
    """Return ``value``, or None for NaN, the mark of nothing to average, which JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def _figure(sums: Resampleable, n_users: int) -> Figure:
    """Return the figure of sums over users.

    Raises ValueError unless there is a row for each user and ``finish`` can pool many samples at once.
    """
    if len(sums) != n_users:
        raise ValueError(f"expected sums of {n_users} test users, got {len(sums)}")
    if isinstance(sums, PerUser) and not np.isfinite(sums.numerators[sums.denominators != 0]).all():
        raise ValueError("numerators of users who count must be finite; give users without a value the denominator 0")
    if isinstance(sums, Pooled):
        twice = sums.finish(np.stack([sums.total, sums.total]))
        if np.shape(twice) != (2,) or not np.array_equal(twice, [sums.value] * 2, equal_nan=True):
            raise ValueError("finish must turn sums of shape (c, d) into c values, each from its own row alone")
    return Figure(finite(sums.value), n=sums.n)
