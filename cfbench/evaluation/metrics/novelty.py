"""Novelty in both senses that are in use: self-information of the item, and its mean rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, PerUser
from cfbench.evaluation.metrics.contracts import of_lists


@dataclass(frozen=True)
class Novelty(CutOff):
    """Mean self-information of the recommended items, in bits, from 0 (everybody knows them) to log2 |U|."""

    label: ClassVar[str] = "novelty"
    contract: ClassVar[Contract] = of_lists(
        title="self-information of the recommended items",
        formula="mean_u (sum_(i in L_u) -log2(phi(i) / |U|)) / |L_u|, |U| = training users",
        family="beyond accuracy",
        source="Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems",
        unit="bits",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the self-information of items over every list."""
        bits = np.log2(evaluation.split.train.n_users) - np.log2(evaluation.item_popularity)
        return evaluation.mean_over_lists(bits)


@dataclass(frozen=True)
class MeanRating(CutOff):
    """Mean training rating of the recommended items, in rating units, within the scale.

    Teaching material also calls it novelty; it says how highly rated the items are, not how new.
    """

    label: ClassVar[str] = "mean-rating"
    contract: ClassVar[Contract] = of_lists(
        title="mean training rating of the recommended items",
        formula="mean_u (sum_(i in L_u) mean of the training ratings of i) / |L_u|",
        family="beyond accuracy",
        direction="none",
        source="teaching material on recommenders, there named novelty",
        unit="rating",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the items' mean training ratings over every list."""
        train = evaluation.split.train
        sums = np.bincount(train.items, weights=train.ratings, minlength=train.n_items)
        return evaluation.mean_over_lists(sums / train.item_counts)
