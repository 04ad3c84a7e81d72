"""Metrics as sums over users, the form in which users can be resampled, and what that tells of their uncertainty.

Users are resampled by the bootstrap; the jackknife widens intervals where that spreads too little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # scipy.sparse takes long to import, and what needs it has imported it
    from scipy.sparse import csr_array

    Sums: TypeAlias = NDArray[np.float64] | csr_array[Any, Any]

RESAMPLES = 1000  # how many samples of users an interval rests on
LEVEL = 0.95  # the probability with which an interval should cover the true value

_DRAWS_PER_CHUNK = 1 << 20  # 8 MB of drawn users, and as much of weights, at a time
_MOST_GROUPS = 100  # of the jackknife: the standard error is known to some 7 % then, and the metric computed 100 times


@dataclass(frozen=True, eq=False)
class PerUser:
    """A metric that is a ratio of sums over users.

    value = ``root(sum(numerators) / sum(denominators))`` with ``root`` the square root if ``rooted``.

    Attributes:
        numerators: one per user of ``Evaluation.test_user_positions``, shape (t,), float64.
        denominators: likewise; 0 leaves a user out.
        rooted: take the square root (RMSE).
    """

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]
    rooted: bool = False

    def __len__(self) -> int:
        return len(self.numerators)

    @property
    def n(self) -> int:
        """How many users count."""
        return int(np.count_nonzero(self.denominators))

    n_users = n  # who contributes to the sums are those who count

    @property
    def value(self) -> float:
        """The metric itself; NaN where every denominator is zero."""
        return float(ratios(self.total[np.newaxis], self.rooted)[0])

    @property
    def total(self) -> NDArray[np.float64]:
        """Both sums over all users, shape (2,)."""
        return np.array([self.numerators.sum(), self.denominators.sum()])

    @property
    def per_user(self) -> NDArray[np.float64]:
        """The metric of each user alone, shape (t,); NaN for users who do not count."""
        return ratios(np.stack([self.numerators, self.denominators], axis=1), self.rooted)

    def expanded(self, positions: NDArray[np.intp], size: int) -> PerUser:
        """Return the same among ``size`` users, with these at ``positions``, ascending; the others do not count."""
        if size == len(self):
            return self
        both = np.zeros((2, size))
        both[:, positions] = self.numerators, self.denominators
        return PerUser(both[0], both[1], self.rooted)


@dataclass(frozen=True, eq=False)
class Pooled:
    """A metric of the whole system that is a function of sums over users, but no ratio of two: Gini, coverage.

    value = ``finish(sum over users of the rows of sums)``. Equal ``sums`` objects of several metrics are resampled
    once.

    Attributes:
        sums: what is summed over users, shape (t, d), dense or sparse by rows.
        finish: turns sums, shape (c, d), into values, shape (c,); must not depend on c, nor change its input.
        n: how many units (users, items) the value rests on.
        bounds: the least and the greatest value there can be, which intervals respect.
    """

    sums: Sums
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    n: int
    bounds: tuple[float, float] = (-math.inf, math.inf)

    def __len__(self) -> int:
        return int(self.sums.shape[0])

    @property
    def n_users(self) -> int:
        """How many users contribute to the sums."""
        if isinstance(self.sums, np.ndarray):
            return int(np.count_nonzero(self.sums.any(axis=1)))
        return int(np.count_nonzero(np.diff(self.sums.indptr)))

    def expanded(self, positions: NDArray[np.intp], size: int) -> Pooled:
        """Return the same among ``size`` users, with these at ``positions``, ascending; the others add nothing."""
        if size == len(self):
            return self
        if isinstance(self.sums, np.ndarray):
            sums = np.zeros((size, self.sums.shape[1]))
            sums[positions] = self.sums
            return replace(self, sums=sums)
        lengths = np.zeros(size + 1, dtype=self.sums.indptr.dtype)
        lengths[positions + 1] = np.diff(self.sums.indptr)
        parts = (self.sums.data, self.sums.indices, np.cumsum(lengths, dtype=lengths.dtype))
        return replace(self, sums=type(self.sums)(parts, shape=(size, self.sums.shape[1])))

    @property
    def total(self) -> NDArray[np.float64]:
        """The sums over all users, shape (d,)."""
        return np.asarray(self.sums.sum(axis=0), dtype=np.float64).ravel()

    @property
    def value(self) -> float:
        """The metric itself."""
        return float(self.finish(self.total[np.newaxis])[0])


Resampleable: TypeAlias = PerUser | Pooled


def ratios(sums: NDArray[np.float64], rooted: bool) -> NDArray[np.float64]:
    """Return numerator over denominator of each row, shape (c, 2) -> (c,), its root if ``rooted``; NaN over zero."""
    numerators, denominators = sums.T
    quotients: NDArray[np.float64] = numerators / np.where(denominators == 0, np.nan, denominators)
    return np.sqrt(quotients) if rooted else quotients


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

    A metric of the whole system (:class:`Pooled`) is moved so that its samples' mean
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
    columns, positions = _distinct_columns(of_ratios, n_users)
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
        name: RatioSamples(metric.total, single[:, positions[name]], metric.rooted, metric.n)
        for name, metric in of_ratios.items()
    }
    samples |= {name: _pooled_samples(metric, np.concatenate(values[name]), seed) for name, metric in of_pooled.items()}
    return {name: samples[name] for name in metrics}


def _distinct_columns(metrics: Mapping[str, PerUser], n_users: int) -> tuple[NDArray[np.float64], dict[str, list[int]]]:
    """Return numerators and denominators as columns, equal ones once, and by metric the positions of its two.

    The test rows of users, behind every error, are the same for many figures: half of the work.
    """
    position_of: dict[bytes, int] = {}
    columns: list[NDArray[np.float64]] = []
    positions: dict[str, list[int]] = {name: [] for name in metrics}
    for name, metric in metrics.items():
        for part in (metric.numerators, metric.denominators):
            position = position_of.setdefault(part.tobytes(), len(columns))
            if position == len(columns):
                columns.append(part)
            positions[name].append(position)
    return np.stack(columns, axis=1) if columns else np.empty((n_users, 0)), positions


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
    """Return the central interval that holds ``level`` of ``values``, shape (n,), of those that are finite."""
    known = values[np.isfinite(values)]
    return percentile_intervals(known[np.newaxis], level)[0] if len(known) else Interval(math.nan, math.nan)


def percentile_intervals(values: NDArray[np.float64], level: float = LEVEL) -> list[Interval]:
    """Return the central interval that holds ``level`` of each row of ``values``, shape (m, n), all of them finite."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
    return [Interval(*ends) for ends in np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=1).T.tolist()]
