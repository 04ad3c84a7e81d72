"""Ranks of models over several data sets: Friedman's test and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.records.record import ALPHA

FEWEST_DATASETS = 3
FEWEST_MODELS = 3


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
