"""Evenness of exposure: how often each item is recommended, and the chances of head and tail items to be."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, Pooled
from cfbench.evaluation.metrics.metric import RELEVANCE, of_popularity

_GROUPS = "g in {head, tail}, head = the smallest set with 80 % of training rows"

_of_exposures = partial(of_popularity, averaging="one figure over the lists of all test users")

_of_chances = partial(
    of_popularity,
    direction="lower",
    averaging="one figure over all test users; whoever got no list adds to the denominators",
    cold_policy="cold users count; cold items are in neither group",
    source="Zhu et al. 2020, Measuring and mitigating item under-recommendation bias",
)


class Gini(CutOff):
    """Inequality of exposure over the whole catalogue, in [0, 1): 0 = every item is shown equally often.

    NaN where no list holds an item.
    """

    label: ClassVar[str] = "Gini"
    contract: ClassVar[Contract] = _of_exposures(
        title="Gini index of how often each item is recommended",
        formula="sum_(j=1..n) (2j - n - 1) x_(j) / (n sum x), x_(j) = ascending exposures, zeros included",
        direction="lower",
        source="Fleder and Hosanagar 2009, Blockbuster culture's next rise or fall",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Compute it over the ``n`` items of the catalogue, of which those never shown need not be stored."""
        n, shown = evaluation.split.train.n_items, evaluation.exposures.shape[1]
        # The items that are never shown come first in order, and weigh nothing.
        weights = 2 * np.arange(n - shown + 1, n + 1) - n - 1

        def gini(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(np.sort(exposures, axis=1) @ weights / (n * _total(exposures)))

        return Pooled(evaluation.exposures, gini, n, (0.0, 1.0))


class Coverage(CutOff):
    """Share of the training catalogue that appears in at least one list, in [0, 1]."""

    label: ClassVar[str] = "coverage"
    contract: ClassVar[Contract] = _of_exposures(
        title="share of the catalogue that is recommended to anyone",
        formula="|union_u L_u| / n, n = training items",
        source="Ge et al. 2010, Beyond accuracy: evaluating recommender systems by coverage and serendipity",
        display=".1%",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count the items with any exposure among the ``n`` of the catalogue."""
        n = evaluation.split.train.n_items
        return Pooled(evaluation.exposures, lambda exposures: np.count_nonzero(exposures, axis=1) / n, n, (0.0, 1.0))


class Entropy(CutOff):
    """Shannon entropy of exposure in bits, from 0 (one item for everybody) to log2 n (all equally often).

    It is not divided by the number of items. NaN where no list holds an item.
    """

    label: ClassVar[str] = "entropy"
    contract: ClassVar[Contract] = _of_exposures(
        title="entropy of how often each item is recommended",
        formula="-sum_i p_i log2 p_i over the items shown, p_i = x_i / sum x, x_i = exposures of i",
        source="Shannon 1948; of exposure: Adomavicius and Kwon 2012, Improving aggregate recommendation diversity",
        unit="bits",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Turn exposures into shares; items never shown add nothing."""
        n_items = evaluation.split.train.n_items

        def entropy(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
            total = _total(exposures)
            logarithms = np.log2(exposures, out=np.zeros_like(exposures), where=exposures > 0)
            bits = np.log2(total) - (exposures * logarithms).sum(axis=1) / total
            return np.asarray(np.maximum(bits, 0))  # rounding may leave -1e-16 with one item for everybody

        return Pooled(evaluation.exposures, entropy, n_items, (0.0, math.log2(n_items)))


def _total(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row, shape (c,), NaN for zero: without any exposure there is no distribution."""
    totals = exposures.sum(axis=1)
    return np.where(totals == 0, np.nan, totals)


class PopRSP(CutOff):
    """Ranking-based statistical parity between head and tail items, in [0, 1]; 0 = equal chances to be listed.

    The chance P_g of a group is the share of its candidate pairs (user, item) that lists hold. NaN where no list
    holds an item or a group has no candidate.
    """

    label: ClassVar[str] = "PopRSP"
    contract: ClassVar[Contract] = _of_chances(
        title="how unequal the chances of head and tail items are to be listed",
        formula="std(P) / mean(P), P_g = sum_u |L_u & g| / sum_u |g - train_u|, population std, " + _GROUPS,
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count listed and candidate items of both groups for every user."""
        groups = (evaluation.head, evaluation.tail)
        listed = [evaluation.sum_over_lists(group) for group in groups]
        return _disparity(listed, [group.sum() - evaluation.sum_over_profiles(group) for group in groups])


class PopREO(CutOff):
    """Ranking-based equal opportunity between head and tail items, in [0, 1]; 0 = equal recall in both groups.

    The chance P_g of a group is the share of its relevant candidates that lists hold. NaN where no list hits, or
    a group has no relevant candidate.
    """

    label: ClassVar[str] = "PopREO"
    contract: ClassVar[Contract] = _of_chances(
        title="how unequal the chances of relevant head and tail items are to be listed",
        formula="std(P) / mean(P), P_g = sum_u |L_u & Rel_u & g| / sum_u |(Rel_u & g) - train_u|, population std, "
        + _GROUPS,
        relevance=RELEVANCE,
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count hit and relevant items of both groups for every user."""
        split, groups = evaluation.split, (evaluation.head, evaluation.tail)
        hit = [(np.append(group, False)[evaluation.lists] & evaluation.hits).sum(axis=1) for group in groups]
        user, position = np.divmod(evaluation.relevant_pairs, len(split.dataset.items) + 1)
        item = split.item_coding.codes(position.astype(np.int32))
        warm = item < split.train.n_items
        user, item = user[warm], item[warm]
        unseen = ~evaluation.has_trained_on(user, item)
        n_users = len(evaluation.test_user_positions)
        return _disparity(hit, [np.bincount(user[group[item] & unseen], minlength=n_users) for group in groups])


def _disparity(listed: list[NDArray[Any]], possible: list[NDArray[Any]]) -> Pooled:
    """Compare the chances of head and tail, ``listed / possible``, each a pair of counts by user, shape (t,)."""

    def relative_deviation(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return population std over mean of the two chances of each row, shape (c, 4) -> (c,)."""
        chances = sums[:, :2] / np.where(sums[:, 2:] == 0, np.nan, sums[:, 2:])
        means = chances.mean(axis=1)
        return np.asarray(chances.std(axis=1) / np.where(means == 0, np.nan, means))

    sums = np.stack([*listed, *possible], axis=1).astype(np.float64)
    return Pooled(sums, relative_deviation, len(sums), (0.0, 1.0))
