"""Uncertainty of metrics: the bootstrap over users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.metrics.metric import PerUser

RESAMPLES = 1000
"""How many samples of users an interval rests on."""

LEVEL = 0.95
"""The probability with which an interval should cover the true value."""

_DRAWS_PER_CHUNK = 1 << 18  # 2 MB of drawn users and as much of weights at a time: they stay in cache


@dataclass(frozen=True)
class Interval:
    """A confidence interval in the metric's own unit; both ends NaN where it cannot be estimated."""

    low: float
    high: float


def bootstrap_intervals(
    per_user: Mapping[str, PerUser], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """Return the percentile interval of every metric under resampling of whole users with replacement.

    Ratings of one user are not independent, so users are drawn, not rows (cluster bootstrap: Efron and
    Tibshirani 1993; Field and Welsh 2007). All test users are drawn, also those whom a metric leaves out: how
    many count varies between samples as it would in new data. All metrics share the samples.

    Args:
        per_user: metrics as sums over users, by name; all of the same users in the same order.
        seed: equal seeds draw equal users.
        resamples: how many samples of users to draw.
        level: probability with which the interval should cover the true value, in (0, 1).

    Returns:
        By name, the interval; NaN for a metric of fewer than two users, from whom no spread can be learned.

    Raises:
        ValueError: the metrics are not of the same number of users, or ``level`` is no probability.
    """
    if not per_user:
        return {}
    samples = resampled(list(per_user.values()), seed, resamples)
    return {name: percentile_interval(sample, level) for name, sample in zip(per_user, samples, strict=True)}


def resampled(metrics: Sequence[PerUser], seed: int, resamples: int = RESAMPLES) -> list[NDArray[np.float64]]:
    """Return the values of every metric on the same samples of users, each of shape (resamples,).

    Because the samples are shared, the difference of two models' values is a sample of the paired difference.

    Args:
        metrics: sums over the same users in the same order.
        seed: equal seeds draw equal users.
        resamples: how many samples of users to draw.

    Raises:
        ValueError: the metrics are not of the same number of users.
    """
    sizes = {len(metric.numerators) for metric in metrics}
    if len(sizes) != 1:
        raise ValueError(f"metrics to resample together must be of the same users, got {sorted(sizes)} users")
    parts = [part for metric in metrics for part in (metric.numerators, metric.denominators)]
    columns, places = _distinct(parts)
    sums = np.concatenate([weights @ columns for weights in _weights(sizes.pop(), seed, resamples)])
    return [ratio_of_sums(metric, sums[:, places[2 * i : 2 * i + 2]]) for i, metric in enumerate(metrics)]


def _distinct(parts: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[int]]:
    """Stack the parts as columns, equal ones once, and say which column each is.

    The test rows of users, behind every model's RMSE, are the same for all models: half of the work.
    """
    columns: dict[bytes, NDArray[np.float64]] = {}
    keys = [part.tobytes() for part in parts]
    for key, part in zip(keys, parts, strict=True):
        columns.setdefault(key, part)
    place = {key: number for number, key in enumerate(columns)}
    return np.stack(list(columns.values()), axis=1), [place[key] for key in keys]


def _weights(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of ``n`` users was drawn, in chunks of samples, shape (c, n); rows sum to n."""
    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_PER_CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, size=(size, n))
        drawn += np.arange(size)[:, np.newaxis] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def ratio_of_sums(metric: PerUser, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the metric on each sample from its two sums, shape (resamples, 2); NaN where nobody counts."""
    if np.count_nonzero(metric.denominators) < 2:
        return np.full(len(sums), np.nan)
    numerators, denominators = sums.T
    ratios: NDArray[np.float64] = numerators / np.where(denominators == 0, np.nan, denominators)
    return np.sqrt(ratios) if metric.rooted else ratios


def percentile_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval that holds ``level`` of ``values``."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
