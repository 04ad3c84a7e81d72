"""Serendipity: hits that a list of popular items would not have placed so high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES
from cfbench.evaluation.metrics.sums import PerUser


@dataclass(frozen=True)
class Serendipity(CutOff):
    """How far hits stand above their place in the order of popularity, in [0, 1); 0 = nothing but the expected.

    A hit at place j earns max(p - p_pop, 0) with p = (n + 1 - j) / n the model's confidence in it and
    p_pop = (n + 1 - rank(i)) / n that of a list of popular items. Equally popular items share a rank, and no rank
    is left out: the most popular are 1, the next 2. Equals RecTools' on complete lists of users with a relevant
    test item; RecTools divides shorter lists by their length and leaves out users without one.
    """

    contract: ClassVar[Contract] = Contract(
        title="hits that popularity alone would not place so high",
        formula=(
            "mean_u (sum_(j<=k) [L_uj in Rel_u] max(rank(L_uj) - j, 0) / n) / k, rank = dense rank by phi, 1 = most "
            "popular, n = training items"
        ),
        family="beyond accuracy",
        needs=("lists",),
        direction="higher",
        averaging="mean over test users with a relevant test item; an empty list counts 0",
        candidates=CANDIDATES,
        relevance="test rating >= relevant_from of the data set",
        cold_policy="cold users count; cold items count as relevant and cannot be hit",
        source="RecTools 0.19, rectools.metrics.Serendipity, after Lab41 2015, Not all about the accuracy",
        unit="share",
        display=".5f",
    )
    label: ClassVar[str] = "serendipity"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up what every hit gains over its popularity rank."""
        ranks = _popularity_ranks(evaluation.item_popularity)
        places = np.arange(1, self.k + 1)
        gains = np.maximum(np.append(ranks, 0)[evaluation.lists] - places, 0) / len(ranks)
        sums = np.where(evaluation.hits, gains, 0).sum(axis=1)
        counts = evaluation.n_relevant > 0
        return PerUser(np.where(counts, sums / self.k, 0), counts.astype(np.float64))


def _popularity_ranks(item_popularity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the dense rank of every item by popularity, 1 = most popular, shape (n_items,)."""
    levels, place = np.unique(item_popularity, return_inverse=True)
    return len(levels) - place
