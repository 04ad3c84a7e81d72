"""Parity between head and tail items in their chances to be recommended: PopRSP and PopREO."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, Pooled
from cfbench.evaluation.metrics.contracts import RELEVANCE, of_lists

_GROUPS = "g in {head, tail}, head = the smallest set with 80 % of training rows"

_of_chances = partial(
    of_lists,
    family="popularity bias",
    direction="lower",
    averaging="one figure over all test users; whoever got no list adds to the denominators",
    cold_policy="cold users count; cold items are in neither group",
    source="Zhu et al. 2020, Measuring and mitigating item under-recommendation bias",
)


@dataclass(frozen=True)
class PopRSP(CutOff):
    """Ranking-based statistical parity between head and tail items, in [0, 1]; 0 = equal chances to be listed.

    The chance P_g of a group is the share of its candidate cells (user, item) that lists hold. NaN where no list
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


@dataclass(frozen=True)
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
