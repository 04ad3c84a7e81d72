"""Uncertainty of metrics: the bootstrap over users, and the jackknife where that spreads too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.metric import PerUser, Pooled, ratios

RESAMPLES = 1000  # how many samples of users an interval rests on
LEVEL = 0.95  # the probability with which an interval should cover the true value

Resampleable: TypeAlias = PerUser | Pooled

_DRAWS_PER_CHUNK = 1 << 20  # 8 MB of drawn users, and as much of weights, at a time
_MOST_GROUPS = 100  # of the jackknife


@dataclass(frozen=True)
class Interval:
    """A confidence interval in the metric's own unit; both ends NaN where it cannot be estimated."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class RatioSamples:
    """A ratio of sums over users on every resample; those of different test rows can be added up.

    Attributes:
        total: numerator and denominator over all users, shape (2,).
        sums: the same on each resample, shape (resamples, 2); kept in single precision, since there are many.
        rooted: whether the metric is the root of the ratio.
        n_users: how many users count; of folds, those of each.
    """

    total: NDArray[np.float64]
    sums: NDArray[np.float32]
    rooted: bool
    n_users: int

    @property
    def value(self) -> float:
        """The metric itself."""
        return float(ratios(self.total[np.newaxis], self.rooted)[0])

    @property
    def samples(self) -> NDArray[np.float64]:
        """The metric on each resample, shape (resamples,); NaN where fewer than two users count."""
        if self.n_users < 2:
            return np.full(len(self.sums), np.nan)
        return ratios(self.sums.astype(np.float64), self.rooted)

    def __add__(self, other: RatioSamples) -> RatioSamples:
        """Pool the test rows of two folds."""
        return RatioSamples(self.total + other.total, self.sums + other.sums, self.rooted, self.n_users + other.n_users)


@dataclass(frozen=True, eq=False)
class PooledSamples:
    """A metric of the whole system on every resample.

    Attributes:
        value: the metric itself.
        samples: the metric on each resample, centred and stretched as in :func:`resampled`, shape (resamples,).
        n_users: how many users contribute to it.
    """

    value: float
    samples: NDArray[np.float64]
    n_users: int


MetricSamples: TypeAlias = RatioSamples | PooledSamples


def resampled(metrics: Mapping[str, Resampleable], seed: int, resamples: int = RESAMPLES) -> dict[str, MetricSamples]:
    """Return every metric on the same samples of users, by name.

    Ratings of one user are not independent, so whole users are drawn with replacement, not rows (cluster
    bootstrap: Efron and Tibshirani 1993; Field and Welsh 2007). All test users are drawn, also those whom a
    metric leaves out: how many count varies between samples as it would in new data. Because equal seeds draw
    equal users of equally many, the difference of two models' values is a sample of the paired difference.

    A metric of the whole system (:class:`~cfbench.evaluation.metrics.metric.Pooled`) is moved so that its samples' mean
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
    sizes = {len(metric) for metric in metrics.values()}
    if len(sizes) > 1:
        raise ValueError(f"metrics to resample together must be of the same users, got {sorted(sizes)} users")
    if not metrics:
        return {}
    n_users = sizes.pop()
    of_ratios = {name: metric for name, metric in metrics.items() if isinstance(metric, PerUser)}
    of_pooled = {name: metric for name, metric in metrics.items() if isinstance(metric, Pooled)}
    columns, places = _distinct_columns(of_ratios, n_users)
    shared = {id(metric.sums): metric.sums for metric in of_pooled.values()}
    sums: list[NDArray[np.float64]] = []
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in of_pooled}
    rng, step = np.random.default_rng(seed), max(1, _DRAWS_PER_CHUNK // n_users)
    for start in range(0, resamples, step):
        # How often each user is drawn, for a chunk of samples: shape (c, t); rows sum to t.
        size = min(step, resamples - start)
        drawn = rng.integers(0, n_users, size=(size, n_users)) + np.arange(size)[:, np.newaxis] * n_users
        weights = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users).astype(np.float64)
        sums.append(weights @ columns)
        totals = {key: np.asarray(weights @ one) for key, one in shared.items()}
        for name, metric in of_pooled.items():
            values[name].append(metric.finish(totals[id(metric.sums)]))
    single = np.concatenate(sums).astype(np.float32)
    samples: dict[str, MetricSamples] = {
        name: RatioSamples(metric.total, single[:, places[name]], metric.rooted, metric.n)
        for name, metric in of_ratios.items()
    }
    samples |= {name: _pooled_samples(metric, np.concatenate(values[name]), seed) for name, metric in of_pooled.items()}
    return {name: samples[name] for name in metrics}


def _distinct_columns(metrics: Mapping[str, PerUser], n_users: int) -> tuple[NDArray[np.float64], dict[str, list[int]]]:
    """Return numerators and denominators as columns, equal ones once, and by metric the places of its two.

    The test rows of users, behind every error, are the same for many figures: half of the work.
    """
    place_of: dict[bytes, int] = {}
    columns: list[NDArray[np.float64]] = []
    places: dict[str, list[int]] = {name: [] for name in metrics}
    for name, metric in metrics.items():
        for part in (metric.numerators, metric.denominators):
            place = place_of.setdefault(part.tobytes(), len(columns))
            if place == len(columns):
                columns.append(part)
            places[name].append(place)
    return np.stack(columns, axis=1) if columns else np.empty((n_users, 0)), places


def _pooled_samples(metric: Pooled, values: NDArray[np.float64], seed: int) -> PooledSamples:
    """Centre the samples on the metric's value; stretch them to the jackknife's deviation where that is wider."""
    known = np.isfinite(values)
    if len(metric) < 2 or not known.any():
        return PooledSamples(metric.value, np.full(len(values), np.nan), metric.n_users)
    deviation = float(values[known].std())
    wanted = jackknife_deviation(metric, seed)
    stretch = wanted / deviation if deviation > 0 and wanted > deviation else 1.0
    moved = (values - values[known].mean()) * stretch + metric.value
    return PooledSamples(metric.value, moved.clip(*metric.bounds), metric.n_users)


def jackknife_deviation(metric: Pooled, seed: int) -> float:
    """Return the standard error of a metric over users, by the delete-a-group jackknife (Kott 2001).

    ``sqrt((g - 1) / g sum_j (v_j - mean v)^2)``, ``v_j`` the metric without the j-th of g random groups of users. It
    errs to the safe side for what counts distinct things (Efron and Stein 1981): items seen once are what another
    sample of users would miss.

    Args:
        metric: sums over users, at least two.
        seed: deals the users to groups.

    Returns:
        The standard error in the metric's unit.
    """
    n_users, n_groups = len(metric), min(_MOST_GROUPS, len(metric))
    group = np.random.default_rng(seed).permutation(n_users) % n_groups
    members = (group == np.arange(n_groups)[:, np.newaxis]).astype(np.float64)
    of_group = np.asarray(members @ metric.sums)
    without = metric.finish(of_group.sum(axis=0) - of_group)
    return float(np.sqrt(np.square(without - without.mean()).sum() * (n_groups - 1) / n_groups))


def percentile_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval that holds ``level`` of ``values``."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
