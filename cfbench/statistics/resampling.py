"""Uncertainty of metrics: the bootstrap over users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.metrics.sums import PerUser, Pooled
from cfbench.statistics.jackknife import jackknife_deviation

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


def bootstrap_intervals(
    metrics: Mapping[str, Resampleable], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """Return the percentile interval of every metric under :func:`resampled` users, by name.

    Args:
        metrics: metrics as sums over users, by name; all of the same users in the same order.
        seed: equal seeds draw equal users.
        resamples: how many samples of users to draw.
        level: probability with which the interval should cover the true value, in (0, 1).

    Returns:
        By name, the interval; NaN for a metric of fewer than two users, from whom no spread can be learned.

    Raises:
        ValueError: the metrics are not of the same number of users, or ``level`` is no probability.
    """
    if not metrics:
        return {}
    samples = resampled(list(metrics.values()), seed, resamples)
    return {name: percentile_interval(sample, level) for name, sample in zip(metrics, samples, strict=True)}


def resampled(metrics: Sequence[Resampleable], seed: int, resamples: int = RESAMPLES) -> list[NDArray[np.float64]]:
    """Return the values of every metric on the same samples of users, each of shape (resamples,).

    Ratings of one user are not independent, so whole users are drawn with replacement, not rows (cluster
    bootstrap: Efron and Tibshirani 1993; Field and Welsh 2007). All test users are drawn, also those whom a
    metric leaves out: how many count varies between samples as it would in new data. Because the samples are
    shared, the difference of two models' values is a sample of the paired difference.

    A metric of the whole system (:class:`~cfbench.metrics.sums.Pooled`) is moved so that its samples' mean is its
    value: a sample holds 63 % of the users, some of them several times, so that what counts distinct items, such
    as coverage, comes out lower in every sample than in truth. For the same reason its samples spread too little;
    they are stretched to the spread that leaving groups of users out shows, where that is wider.

    Args:
        metrics: sums over the same users in the same order.
        seed: equal seeds draw equal users.
        resamples: how many samples of users to draw.

    Raises:
        ValueError: the metrics are not of the same number of users.
    """
    sizes = {len(metric) for metric in metrics}
    if len(sizes) != 1:
        raise ValueError(f"metrics to resample together must be of the same users, got {sorted(sizes)} users")
    n_users = sizes.pop()
    ratios = [metric for metric in metrics if isinstance(metric, PerUser)]
    columns, places = _distinct(n_users, [part for one in ratios for part in (one.numerators, one.denominators)])
    others = {id(metric.sums): metric.sums for metric in metrics if isinstance(metric, Pooled)}
    pooled: dict[int, list[NDArray[np.float64]]] = {id(m): [] for m in metrics if isinstance(m, Pooled)}
    ratio_sums = []
    for weights in _weights(n_users, seed, resamples):
        ratio_sums.append((weights.astype(np.float32) @ columns).astype(np.float64))
        sums = {key: np.asarray(weights @ other) for key, other in others.items()}
        for metric in metrics:
            if isinstance(metric, Pooled):
                pooled[id(metric)].append(metric.finish(sums[id(metric.sums)]))
    of_ratios = iter(_ratios(ratios, np.concatenate(ratio_sums), places))
    return [
        next(of_ratios) if isinstance(metric, PerUser) else _moved(metric, np.concatenate(pooled[id(metric)]), seed)
        for metric in metrics
    ]


def _distinct(n_users: int, parts: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], list[int]]:
    """Stack the parts as columns, equal ones once, and say which column each is.

    The test rows of users, behind every model's RMSE, are the same for all models: half of the work. Single
    precision, good for six digits of a sample, takes half of what is left.
    """
    columns: dict[bytes, NDArray[np.float64]] = {}
    keys = [part.tobytes() for part in parts]
    for key, part in zip(keys, parts, strict=True):
        columns.setdefault(key, part)
    place = {key: number for number, key in enumerate(columns)}
    stacked = np.stack(list(columns.values()), axis=1) if columns else np.empty((n_users, 0))
    return stacked.astype(np.float32), [place[key] for key in keys]


def _weights(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of ``n`` users was drawn, in chunks of samples, shape (c, n); rows sum to n."""
    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_PER_CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, size=(size, n))
        drawn += np.arange(size)[:, np.newaxis] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _ratios(
    metrics: Sequence[PerUser], sums: NDArray[np.float64], places: Sequence[int]
) -> Iterator[NDArray[np.float64]]:
    """Yield each metric on every sample from its two columns of ``sums``, shape (resamples, columns)."""
    for number, metric in enumerate(metrics):
        if metric.n < 2:
            yield np.full(len(sums), np.nan)
        else:
            yield metric.of_sums(sums[:, places[2 * number : 2 * number + 2]])


def _moved(metric: Pooled, values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Centre the samples on the metric's value and give them the wider of the two spreads known."""
    known = np.isfinite(values)
    if len(metric) < 2 or not known.any():
        return np.full(len(values), np.nan)
    deviation = float(values[known].std())
    wanted = jackknife_deviation(metric, seed)
    stretch = wanted / deviation if deviation > 0 and wanted > deviation else 1.0
    moved: NDArray[np.float64] = (values - values[known].mean()) * stretch + metric.value
    return moved


def percentile_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval that holds ``level`` of ``values``."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
