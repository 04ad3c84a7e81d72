"""Significance: tests of the difference of two models, correction for multiple testing, ranks over data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.records.record import ALPHA

FEWEST_DATASETS = 3
FEWEST_MODELS = 3
_EXACT = 50
"""Differences up to which the signed-rank test counts choices of signs, where no two are equal; as in scipy.stats."""

_EXACT_WITH_TIES = 13


def bootstrap_p(difference: float, samples: NDArray[np.float64], n_users: int) -> float:
    """Return the two-sided p-value of "no difference" from samples of the paired difference.

    ``p = 2 P(T > |difference| / s)`` with ``s`` the standard deviation of the samples and ``T`` of Student's t
    distribution with ``n_users - 1`` degrees of freedom: an approximation, because counting samples on the other side
    of zero gives no p-value below 1 in their number, too coarse to be corrected for many pairs.

    Args:
        difference: the observed difference.
        samples: the difference on resamples of users, shape (resamples,); NaN where it is not defined.
        n_users: how many users the difference rests on.

    Returns:
        The p-value in [0, 1]; NaN where fewer than two samples are known.
    """
    from scipy.special import stdtr  # noqa: PLC0415 - slow to import, and only runs of several models need it

    known = samples[np.isfinite(samples)]
    if len(known) < 2 or n_users < 2 or not math.isfinite(difference):
        return float("nan")
    deviation = float(known.std(ddof=1))
    if deviation == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(n_users - 1, -abs(difference) / deviation))


def wilcoxon_p(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of the Wilcoxon signed-rank test (Wilcoxon 1945) on values of the same users.

    It tests whether users are as often and as much better off with one model as with the other: a question about
    the typical user, beside the mean. Users without a value in either, and ties, are left out.

    Args:
        first: one model's value of each user, shape (t,); NaN for users who do not count.
        second: the other model's, likewise.

    Returns:
        The p-value in [0, 1], to the bit that of ``scipy.stats.wilcoxon``, which takes a second to import: exact for
        few users; 1 where all users tie, NaN where no user counts.
    """
    differences = (first - second)[np.isfinite(first) & np.isfinite(second)]
    if not len(differences):
        return float("nan")
    differences = differences[differences != 0]
    ranks, n = mean_ranks(np.abs(differences)), len(differences)
    ties = np.unique(ranks, return_counts=True)[1].astype(np.float64)
    if n <= (_EXACT if len(ties) == n else _EXACT_WITH_TIES):
        return _signed_rank_p(2 * ranks, differences > 0)
    from scipy.special import ndtr  # noqa: PLC0415 - slow to import, and only runs of several models need it

    variance = (n * (n + 1.0) * (2.0 * n + 1.0) - (ties**3 - ties).sum() / 2) / 24
    z = (ranks[differences > 0].sum() - n * (n + 1.0) * 0.25) / np.sqrt(variance)
    return float(2 * ndtr(-abs(z)))


def _signed_rank_p(doubled: NDArray[np.float64], above: NDArray[np.bool_]) -> float:
    """Return how often signs at random give the ranks of ``above`` a sum as far out as they have; ranks are doubled."""
    steps = doubled.astype(np.int64)
    ways = np.ones(1, dtype=np.int64)  # by sum, how many choices of signs give it
    for step in steps:
        ways = np.pad(ways, (0, step)) + np.pad(ways, (step, 0))
    reached = int(steps[above].sum())
    fewer = min(int(ways[: reached + 1].sum()), int(ways[reached:].sum()))
    return min(1.0, fewer / 2.0 ** (len(steps) - 1))


def mean_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the ranks of values, 1 = smallest, shape (n,); equal ones share the mean of their ranks.

    It is ``scipy.stats.rankdata``, which takes a second to import.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple testing (Holm 1979): the chance of any false alarm stays below the level.

    The j-th smallest of m is multiplied by ``m - j + 1``; a larger one is never below a smaller one; at most 1.
    NaN is no test: it stays, and does not count.
    """
    known = [index for index, p in enumerate(p_values) if not math.isnan(p)]
    corrected, reached = list(p_values), 0.0
    for rank, index in enumerate(sorted(known, key=lambda index: p_values[index])):
        reached = max(reached, min(1.0, (len(known) - rank) * p_values[index]))
        corrected[index] = reached
    return corrected


@dataclass(frozen=True, eq=False)
class RankTest:
    """Result of the tests on ranks over data sets.

    Attributes:
        mean_ranks: mean rank of every model, 1 = best, shape (models,).
        p: p-value of Friedman's test that all models are alike.
        critical_difference: mean ranks that differ by less do not differ significantly (Nemenyi, at 5 %).
    """

    mean_ranks: NDArray[np.float64]
    p: float
    critical_difference: float


def rank_test(values: NDArray[np.float64], *, lower: bool) -> RankTest:
    """Rank the models on each data set and test the mean ranks.

    Friedman 1937 for whether any model differs; Nemenyi 1963 for which do:
    ``CD = q sqrt(k (k + 1) / (6 N))`` with q the studentized range's quantile over ``sqrt(2)`` (Demšar 2006,
    Statistical comparisons of classifiers over multiple data sets).

    Args:
        values: a metric, shape (N data sets, k models), all finite; both at least 3.
        lower: whether lower is better.

    Raises:
        ValueError: fewer than three data sets or models, or a hole.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range  # noqa: PLC0415 - half a second to import

    n_datasets, n_models = values.shape
    if n_datasets < FEWEST_DATASETS or n_models < FEWEST_MODELS or not np.isfinite(values).all():
        raise ValueError(f"ranks need at least 3 data sets and 3 models without holes, got shape {values.shape}")
    signed = values if lower else -values
    ranks = rankdata(signed, axis=1)
    alike = bool((ranks == ranks[:, :1]).all())  # the statistic is 0 / 0 where all models tie everywhere
    p = 1.0 if alike else float(friedmanchisquare(*signed.T).pvalue)
    quantile = float(studentized_range.ppf(1 - ALPHA, n_models, math.inf)) / math.sqrt(2)
    difference = quantile * math.sqrt(n_models * (n_models + 1) / (6 * n_datasets))
    return RankTest(ranks.mean(axis=0), p, difference)


def cliques(mean_ranks: Sequence[float], critical_difference: float) -> list[tuple[int, ...]]:
    """Return the largest groups of models whose mean ranks lie within ``critical_difference``, best first.

    Groups of one, and groups inside others, are left out; models are named by their index.
    """
    order = sorted(range(len(mean_ranks)), key=lambda index: mean_ranks[index])
    groups: list[tuple[int, ...]] = []
    reached = 0
    for start, first in enumerate(order):
        end = start
        while end < len(order) and mean_ranks[order[end]] - mean_ranks[first] < critical_difference:
            end += 1
        if end - start > 1 and end > reached:
            groups.append(tuple(order[start:end]))
            reached = end
    return groups
