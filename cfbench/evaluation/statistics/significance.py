"""Tests of the difference of two models, and their correction for being many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
        The p-value in [0, 1]; 1 where all users tie, NaN where no user counts.
    """
    from scipy.stats import wilcoxon  # noqa: PLC0415 - half a second to import, and only runs of several models need it

    differences = (first - second)[np.isfinite(first) & np.isfinite(second)]
    if not len(differences):
        return float("nan")
    differences = differences[differences != 0]
    return float(wilcoxon(differences).pvalue) if len(differences) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being many (Holm 1979): the chance of any false alarm among them stays below the level.

    The j-th smallest of m is multiplied by ``m - j + 1``; a larger one is never below a smaller one; at most 1.
    NaN is no test: it stays, and does not count.
    """
    known = [index for index, p in enumerate(p_values) if not math.isnan(p)]
    corrected, reached = list(p_values), 0.0
    for place, index in enumerate(sorted(known, key=lambda index: p_values[index])):
        reached = max(reached, min(1.0, (len(known) - place) * p_values[index]))
        corrected[index] = reached
    return corrected
