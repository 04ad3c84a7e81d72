"""Novelty in both senses that are in use: surprise of the item, and its mean rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.list_means import mean_of_lists
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES, COLD_LISTS, USERS_WITH_LIST
from cfbench.evaluation.metrics.sums import PerUser


@dataclass(frozen=True)
class Novelty(CutOff):
    """Mean self-information of the recommended items, in bits, from 0 (everybody knows them) to log2 |U|."""

    contract: ClassVar[Contract] = Contract(
        title="self-information of the recommended items",
        formula="mean_u (sum_(i in L_u) -log2(phi(i) / |U|)) / |L_u|, |U| = training users",
        family="beyond accuracy",
        needs=("lists",),
        direction="higher",
        averaging=USERS_WITH_LIST,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems",
        unit="bits",
        display=".3f",
    )
    label: ClassVar[str] = "novelty"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the surprise of items over every list."""
        surprise = np.log2(evaluation.split.train.n_users) - np.log2(evaluation.item_popularity)
        return mean_of_lists(evaluation.lists, surprise)


@dataclass(frozen=True)
class MeanRating(CutOff):
    """Mean training rating of the recommended items, in rating units, within the scale.

    Teaching material also calls it novelty; it says how well liked the items are, not how new.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean training rating of the recommended items",
        formula="mean_u (sum_(i in L_u) mean of the training ratings of i) / |L_u|",
        family="beyond accuracy",
        needs=("lists",),
        direction="none",
        averaging=USERS_WITH_LIST,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="teaching material on recommenders, there named novelty",
        unit="rating",
        display=".3f",
    )
    label: ClassVar[str] = "mean-rating"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the items' mean training ratings over every list."""
        train = evaluation.split.train
        sums = np.bincount(train.items, weights=train.ratings, minlength=train.n_items)
        return mean_of_lists(evaluation.lists, sums / train.item_counts)
