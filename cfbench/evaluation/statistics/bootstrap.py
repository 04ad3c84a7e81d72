"""Uncertainty of metrics: the bootstrap over users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.sums import PerUser, Pooled, ratios
from cfbench.evaluation.statistics.jackknife import jackknife_deviation

RESAMPLES = 1000
"""How many samples of users an interval rests on."""

LEVEL = 0.95
"""The probability with which an interval should cover the true value."""

Resampleable: TypeAlias = PerUser | Pooled

_DRAWS_PER_CHUNK = 1 << 20  # 8 MB of drawn users, and as much of weights, at a time


@dataclass(frozen=True)
class Interval:
    """A confidence interval in the metric's own unit; both ends NaN where it cannot be estimated."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class RatioDraw:
    """A ratio of sums over users on every resample; those of different test rows can be added up.

    Attributes:
        total: numerator and denominator over all users, shape (2,).
        sums: the same on each resample, shape (resamples, 2); kept in single precision, since there are many.
        rooted: whether the metric is the root of the ratio.
        n: how many users count; of folds, those of each.
    """

    total: NDArray[np.float64]
    sums: NDArray[np.float32]
    rooted: bool
    n: int

    @property
    def n_users(self) -> int:
        """How many users add something to the sums: those who count."""
        return self.n

    @property
    def value(self) -> float:
        """The metric itself."""
        return float(ratios(self.total[np.newaxis], self.rooted)[0])

    @property
    def samples(self) -> NDArray[np.float64]:
        """The metric on each resample, shape (resamples,); NaN where fewer than two users count."""
        if self.n < 2:
            return np.full(len(self.sums), np.nan)
        return ratios(self.sums.astype(np.float64), self.rooted)

    def __add__(self, other: RatioDraw) -> RatioDraw:
        """Pool the test rows of two folds."""
        return RatioDraw(self.total + other.total, self.sums + other.sums, self.rooted, self.n + other.n)


@dataclass(frozen=True, eq=False)
class WholeDraw:
    """A metric of the whole system on every resample.

    Attributes:
        value: the metric itself.
        samples: the metric on each resample, moved as :func:`resampled` tells, shape (resamples,).
        n: how many units it rests on.
        n_users: how many users add something to it.
    """

    value: float
    samples: NDArray[np.float64]
    n: int
    n_users: int


Draw: TypeAlias = RatioDraw | WholeDraw


def bootstrap_intervals(
    metrics: Mapping[str, Resampleable], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """Return the percentile interval of every metric under :func:`resampled` users, by name.

    ``level`` is the probability with which it should cover the true value, in (0, 1). NaN for a metric of fewer than
    two users, from whom no spread can be learned. Raises ValueError as :func:`resampled` does, and for a level that
    is no probability.
    """
    drawn = resampled(metrics, seed, resamples)
    return {name: percentile_interval(one.samples, level) for name, one in drawn.items()}


def resampled(metrics: Mapping[str, Resampleable], seed: int, resamples: int = RESAMPLES) -> dict[str, Draw]:
    """Return every metric on the same samples of users, by name.

    Ratings of one user are not independent, so whole users are drawn with replacement, not rows (cluster
    bootstrap: Efron and Tibshirani 1993; Field and Welsh 2007). All test users are drawn, also those whom a
    metric leaves out: how many count varies between samples as it would in new data. Because equal seeds draw
    equal users of equally many, the difference of two models' values is a sample of the paired difference.

    A metric of the whole system (:class:`~cfbench.evaluation.metrics.sums.Pooled`) is moved so that its samples' mean
    is its value: a sample holds 63 % of the users, some of them several times, so that what counts distinct items, such
    as coverage, comes out lower in every sample than in truth. For the same reason its samples spread too little;
    they are stretched to the spread that leaving groups of users out shows, where that is wider, within the
    metric's bounds.

    Args:
        metrics: sums over the same users in the same order, by name.
        seed: equal seeds draw equal users.
        resamples: how many samples of users to draw.

    Raises:
        ValueError: the metrics are not of the same number of users.
    """
    if not metrics:
        return {}
    sizes = {len(metric) for metric in metrics.values()}
    if len(sizes) != 1:
        raise ValueError(f"metrics to resample together must be of the same users, got {sorted(sizes)} users")
    n_users = sizes.pop()
    of_ratios = {name: metric for name, metric in metrics.items() if isinstance(metric, PerUser)}
    of_wholes = {name: metric for name, metric in metrics.items() if isinstance(metric, Pooled)}
    columns = _Columns.of(n_users, of_ratios)
    shared = {id(metric.sums): metric.sums for metric in of_wholes.values()}
    sums: list[NDArray[np.float64]] = []
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in of_wholes}
    for weights in _weights(n_users, seed, resamples):
        sums.append(weights @ columns.distinct)
        totals = {key: np.asarray(weights @ one) for key, one in shared.items()}
        for name, metric in of_wholes.items():
            values[name].append(metric.finish(totals[id(metric.sums)]))
    drawn: dict[str, Draw] = columns.draws(of_ratios, np.concatenate(sums))
    drawn |= {name: _whole(metric, np.concatenate(values[name]), seed) for name, metric in of_wholes.items()}
    return {name: drawn[name] for name in metrics}


@dataclass(frozen=True, eq=False)
class _Columns:
    """Numerators and denominators of many metrics as columns, equal ones once.

    The test rows of users, behind every error, are the same for many figures: half of the work.

    Attributes:
        distinct: the columns, shape (t, columns).
        places: by metric, the columns of its numerator and denominator.
    """

    distinct: NDArray[np.float64]
    places: Mapping[str, list[int]]

    @classmethod
    def of(cls, n_users: int, metrics: Mapping[str, PerUser]) -> _Columns:
        place_of: dict[bytes, int] = {}
        columns: list[NDArray[np.float64]] = []
        places: dict[str, list[int]] = {name: [] for name in metrics}
        for name, metric in metrics.items():
            for part in (metric.numerators, metric.denominators):
                place = place_of.setdefault(part.tobytes(), len(columns))
                if place == len(columns):
                    columns.append(part)
                places[name].append(place)
        return cls(np.stack(columns, axis=1) if columns else np.empty((n_users, 0)), places)

    def draws(self, metrics: Mapping[str, PerUser], sums: NDArray[np.float64]) -> dict[str, Draw]:
        """Give every metric its columns of ``sums``, shape (resamples, columns)."""
        single = sums.astype(np.float32)
        return {
            name: RatioDraw(metric.total, single[:, self.places[name]], metric.rooted, metric.n)
            for name, metric in metrics.items()
        }


def _weights(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of ``n`` users was drawn, in chunks of samples, shape (c, n); rows sum to n."""
    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_PER_CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, size=(size, n))
        drawn += np.arange(size)[:, np.newaxis] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _whole(metric: Pooled, values: NDArray[np.float64], seed: int) -> WholeDraw:
    """Centre the samples on the metric's value and give them the wider of the two spreads known."""
    known = np.isfinite(values)
    if len(metric) < 2 or not known.any():
        return WholeDraw(metric.value, np.full(len(values), np.nan), metric.n, metric.n_users)
    deviation = float(values[known].std())
    wanted = jackknife_deviation(metric, seed)
    stretch = wanted / deviation if deviation > 0 and wanted > deviation else 1.0
    moved = (values - values[known].mean()) * stretch + metric.value
    return WholeDraw(metric.value, moved.clip(*metric.bounds), metric.n, metric.n_users)


def percentile_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval that holds ``level`` of ``values``."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
