"""Serendipity: hits that a list of popular items would not have placed so high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, PerUser
from cfbench.evaluation.metrics.contracts import of_hits


@dataclass(frozen=True)
class Serendipity(CutOff):
    """How far hits stand above their place in the order of popularity, in [0, 1); 0 = nothing but the expected.

    A hit at place j earns max(p - p_pop, 0) with p = (n + 1 - j) / n the model's confidence in it and
    p_pop = (n + 1 - rank(i)) / n that of a list of popular items. Equally popular items share a rank, and no rank
    is left out: the most popular are 1, the next 2. Equals RecTools' on complete lists of users with a relevant
    test item; RecTools divides shorter lists by their length and leaves out users without one.
    """

    label: ClassVar[str] = "serendipity"
    contract: ClassVar[Contract] = of_hits(
        title="hits that popularity alone would not place so high",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] max(rank(L_uj) - j, 0) / n) / k, rank = dense rank by phi, 1 = "
        "most popular, n = training items",
        family="beyond accuracy",
        source="RecTools 0.19, rectools.metrics.Serendipity, after Lab41 2015, Not all about the accuracy",
        display=".5f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up what every hit gains over its popularity rank."""
        levels, level_of = np.unique(evaluation.item_popularity, return_inverse=True)
        ranks = len(levels) - level_of  # dense, 1 = most popular, shape (n_items,)
        places = np.arange(1, self.k + 1)
        gains = np.maximum(np.append(ranks, 0)[evaluation.lists] - places, 0) / len(ranks)
        return evaluation.mean_over_relevant(np.where(evaluation.hits, gains, 0).sum(axis=1), self.k)
