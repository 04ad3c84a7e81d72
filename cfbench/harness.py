"""Measuring one cell: raw answers and truth in, figures out. Pure: nothing is fitted, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cfbench.answers import Answers
from cfbench.metrics.evaluation import Evaluation
from cfbench.metrics.metric import Breakdown, Metric, PerUser, Single
from cfbench.record import Figure, Table, stratum_name
from cfbench.splits.split import Split
from cfbench.statistics import bootstrap_intervals

_WHY_NOT = {
    "ratings": "the model ranks only and predicts no ratings",
    "lists": "the model gave no lists",
}


@dataclass
class Measured:
    """What the metrics said of one model's answers.

    Attributes:
        figures: by metric name.
        tables: by metric name.
        not_applicable: why a metric has no value.
        broken: how a metric failed.
        per_user: the per-user sums behind the figures, and the strata's RMSE, that can be resampled.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    not_applicable: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    per_user: dict[str, PerUser] = field(default_factory=dict)


def measure(split: Split, answers: Answers, metrics: Sequence[Metric]) -> Measured:
    """Compute every metric that the answers allow, without intervals."""
    evaluation = Evaluation(split, answers)
    have = {"ratings": answers.predictions is not None, "lists": answers.lists is not None}
    measured = Measured()
    for metric in metrics:
        if not have[metric.contract.needs]:
            measured.not_applicable[metric.name] = _WHY_NOT[metric.contract.needs]
            continue
        try:
            result = metric.measure(evaluation)
        except Exception as error:  # noqa: BLE001 - a metric plugin may raise anything; the fit must not be lost
            measured.broken[metric.name] = f"{type(error).__name__}: {error}"
            continue
        if isinstance(result, PerUser) and len(result.numerators) != len(evaluation.people):
            measured.broken[metric.name] = (
                f"expected sums of {len(evaluation.people)} test users, got {len(result.numerators)}"
            )
        elif isinstance(result, PerUser):
            users = int((result.denominators > 0).sum())
            measured.per_user[metric.name] = result
            measured.figures[metric.name] = Figure(finite(result.value), n=users)
        elif isinstance(result, Single):
            measured.figures[metric.name] = Figure(finite(result.value), n=result.n)
        elif isinstance(result, Breakdown):
            measured.tables[metric.name] = _table(result)
            for stratum, sums in result.rmse.items():
                measured.per_user[stratum_name(metric.name, stratum)] = sums
        else:
            measured.broken[metric.name] = (
                f"measure must return PerUser, Single or Breakdown, got {type(result).__name__}"
            )
    return measured


def with_intervals(measured: Measured, seed: int) -> dict[str, Figure]:
    """Return the figures with 95 % intervals by resampling users, where the metric is a ratio over users."""
    shown = {name: sums for name, sums in measured.per_user.items() if name in measured.figures}
    intervals = bootstrap_intervals(shown, seed)
    figures = dict(measured.figures)
    for name, interval in intervals.items():
        figure = figures[name]
        figures[name] = Figure(figure.value, finite(interval.low), finite(interval.high), figure.n)
    return figures


def finite(value: float) -> float | None:
    """Turn NaN, the mark of nothing to average, into None, which JSON can say."""
    return float(value) if math.isfinite(value) else None


def _table(breakdown: Breakdown) -> Table:
    rows = {name: _finite_all(row) for name, row in breakdown.rows.items()}
    return Table(rows, _finite_all(breakdown.facts))


def _finite_all(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in figures.items()}
