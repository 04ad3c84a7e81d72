"""Whether head and tail items get equal chances to be recommended: PopRSP and PopREO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES
from cfbench.evaluation.metrics.sums import Pooled

_GROUPS = "g in {head, tail}, head = the smallest set with 80 % of training rows"
_SOURCE = "Zhu et al. 2020, Measuring and mitigating item under-recommendation bias"
_AVERAGING = "one figure over all test users; whoever got no list adds to the denominators"


@dataclass(frozen=True)
class PopRSP(CutOff):
    """Ranking-based statistical parity between head and tail items, in [0, 1]; 0 = equal chances to be listed.

    The chance P_g of a group is the share of its candidate cells (user, item) that lists hold. NaN where no list
    holds an item or a group has no candidate.
    """

    contract: ClassVar[Contract] = Contract(
        title="how unequal the chances of head and tail items are to be listed",
        formula="std(P) / mean(P), P_g = sum_u |L_u & g| / sum_u |g - train_u|, population std, " + _GROUPS,
        family="popularity bias",
        needs=("lists",),
        direction="lower",
        averaging=_AVERAGING,
        candidates=CANDIDATES,
        cold_policy="cold users count; cold items are in neither group",
        source=_SOURCE,
        unit="share",
    )
    label: ClassVar[str] = "PopRSP"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count listed and candidate items of both groups for every user."""
        lists = evaluation.lists
        head, tail = evaluation.head, evaluation.tail
        in_head = evaluation.over_profiles(head)
        in_tail = evaluation.profile_sizes - in_head
        columns = [_listed(lists, head), _listed(lists, tail), head.sum() - in_head, tail.sum() - in_tail]
        return _disparity(columns)


@dataclass(frozen=True)
class PopREO(CutOff):
    """Ranking-based equal opportunity between head and tail items, in [0, 1]; 0 = equal recall in both groups.

    The chance P_g of a group is the share of its relevant candidates that lists hold. NaN where no list hits, or
    a group has no relevant candidate.
    """

    contract: ClassVar[Contract] = Contract(
        title="how unequal the chances of relevant head and tail items are to be listed",
        formula=(
            "std(P) / mean(P), P_g = sum_u |L_u & Rel_u & g| / sum_u |(Rel_u & g) - train_u|, population std, "
            + _GROUPS
        ),
        family="popularity bias",
        needs=("lists",),
        direction="lower",
        averaging=_AVERAGING,
        candidates=CANDIDATES,
        relevance="test rating >= relevant_from of the data set",
        cold_policy="cold users count; cold items are in neither group",
        source=_SOURCE,
        unit="share",
    )
    label: ClassVar[str] = "PopREO"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count hit and relevant items of both groups for every user."""
        lists = np.where(evaluation.hits, evaluation.lists, evaluation.split.train.n_items)
        columns = [_listed(lists, evaluation.head), _listed(lists, evaluation.tail)]
        return _disparity([*columns, *_relevant_candidates(evaluation)])


def _listed(lists: NDArray[np.int32], group: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many items of each list, shape (t, k), belong to ``group``, shape (n_items,)."""
    counts: NDArray[np.int64] = np.append(group, False)[lists].sum(axis=1)
    return counts


def _relevant_candidates(evaluation: Evaluation) -> list[NDArray[np.int64]]:
    """Return how many relevant items of head and of tail each test user could be recommended, two of shape (t,)."""
    user, thing = np.divmod(evaluation.relevant_pairs, len(evaluation.split.dataset.items) + 1)
    item = evaluation.split.item_coding.codes(thing.astype(np.int32))
    warm = item < evaluation.split.train.n_items
    user, item = user[warm], item[warm]
    seen = evaluation.has_trained_on(user, item)
    return [
        np.bincount(user[group[item] & ~seen], minlength=len(evaluation.people))
        for group in (evaluation.head, evaluation.tail)
    ]


def _disparity(columns: list[NDArray[np.int64]]) -> Pooled:
    """Compare the chances of two groups; columns: got by the first and second, possible for the first and second."""
    sums = np.stack(columns, axis=1).astype(np.float64)
    return Pooled(sums, _relative_deviation, len(sums), (0.0, 1.0))


def _relative_deviation(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return population std over mean of the two chances of each row, shape (c, 4) -> (c,)."""
    possible = np.where(sums[:, 2:] == 0, np.nan, sums[:, 2:])
    chances = sums[:, :2] / possible
    means = chances.mean(axis=1)
    deviations: NDArray[np.float64] = chances.std(axis=1) / np.where(means == 0, np.nan, means)
    return deviations
