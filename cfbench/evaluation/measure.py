"""Measuring one cell: raw answers and truth in, figures out. Pure: nothing is fitted, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Breakdown, Measurement, Metric, Need, NotApplicable, Single, apply_metric
from cfbench.evaluation.metrics.sums import PerUser, Pooled
from cfbench.evaluation.statistics.bootstrap import Resampleable
from cfbench.records.record import Figure, StrataTable, figure_name

_WHY_NOT: Mapping[Need, str] = {
    "ratings": "the model ranks only and predicts no ratings",
    "lists": "the model gave no lists",
    "scores": "the model gave no scores of the catalogue",
    "embeddings": "the model shows no item embeddings",
    "saved-model": "the model cannot be saved, or was not in this run",
    "energy": "the cell's electricity was not metered",
}


@dataclass
class Measured:
    """What the metrics said of one model's answers.

    Attributes:
        figures: by metric name.
        tables: by metric name.
        not_applicable: why a metric has no value.
        broken: how a metric failed.
        sums: the sums over users behind figures, by metric name, and behind figures of strata, by
            :func:`cfbench.records.record.figure_name`: what can be resampled.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, StrataTable] = field(default_factory=dict)
    not_applicable: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    sums: dict[str, Resampleable] = field(default_factory=dict)

    def take(self, name: str, result: Measurement, n_users: int) -> None:
        """Note what a metric returned; raises TypeError or ValueError where it is not what its contract asks."""
        match result:
            case PerUser() | Pooled():
                _check_users(result, n_users)
                self.figures[name] = Figure(finite(result.value), n=result.n)
                self.sums[name] = result
            case Single():
                low, high = result.interval or (math.nan, math.nan)
                self.figures[name] = Figure(finite(result.value), finite(low), finite(high), result.n)
            case Breakdown():
                self._take_table(name, result, n_users)
            case NotApplicable():
                self.not_applicable[name] = result.reason
            case _:
                raise TypeError(
                    "measure must return PerUser, Pooled, Single, Breakdown or NotApplicable, "
                    f"got {type(result).__name__}"
                )

    def _take_table(self, name: str, result: Breakdown, n_users: int) -> None:
        rows = {}
        for stratum, figures in result.rows.items():
            sums = {figure_name(name, stratum, key): one for key, one in figures.items() if isinstance(one, PerUser)}
            for one in sums.values():
                _check_users(one, n_users)
            self.sums |= sums
            rows[stratum] = {key: _stratum_figure(one) for key, one in figures.items()}
        self.tables[name] = StrataTable(rows, {fact: finite(value) for fact, value in result.facts.items()})


def measure(evaluation: Evaluation, metrics: Sequence[Metric]) -> Measured:
    """Compute every metric that the answers allow; intervals come later, when models are seen side by side."""
    answers = evaluation.output
    have: Mapping[Need, bool] = {
        "ratings": answers.predictions is not None,
        "lists": answers.lists is not None,
        "scores": answers.score_means is not None,
        "embeddings": answers.item_factors is not None,
        "cost": True,
        "saved-model": evaluation.cost.model_bytes is not None,
        "energy": True,  # the metric itself says why a meter has no figure
    }
    measured = Measured()
    for metric in metrics:
        lacking = next((need for need in metric.contract.needs if not have[need]), None)
        if lacking is not None:
            measured.not_applicable[metric.name] = _WHY_NOT[lacking]
            continue
        try:
            measured.take(metric.name, apply_metric(metric, evaluation), len(evaluation.test_user_positions))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a metric may raise anything; fits must not be lost
            measured.broken[metric.name] = f"{type(error).__name__}: {error}"
    return measured


def finite(value: float) -> float | None:
    """Turn NaN, the mark of nothing to average, into None, which JSON can say."""
    return float(value) if math.isfinite(value) else None


def _stratum_figure(value: PerUser | float) -> Figure:
    return Figure(finite(value.value), n=value.n) if isinstance(value, PerUser) else Figure(finite(value))


def _check_users(sums: Resampleable, n_users: int) -> None:
    """Raise ValueError unless there is a row for each user and a pooled figure can be had of many samples at once."""
    if len(sums) != n_users:
        raise ValueError(f"expected sums of {n_users} test users, got {len(sums)}")
    if isinstance(sums, PerUser) and not np.isfinite(sums.numerators[sums.denominators != 0]).all():
        raise ValueError("numerators of users who count must be finite; give users without a value the denominator 0")
    if isinstance(sums, Pooled):
        total = np.asarray(sums.sums.sum(axis=0), dtype=np.float64).reshape(1, -1)
        twice = sums.finish(np.repeat(total, 2, axis=0))
        if np.shape(twice) != (2,) or not np.array_equal(twice, [sums.value] * 2, equal_nan=True):
            raise ValueError("finish must turn sums of shape (c, d) into c values, each from its own row alone")
