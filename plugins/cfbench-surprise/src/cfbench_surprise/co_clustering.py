"""Co-clustering of users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from surprise import CoClustering

from cfbench.model import FitContext, Ratings, require_whole
from cfbench_surprise.adapter import Adapter
from cfbench_surprise.factors import BiasedFactors, Biases
from cfbench_surprise.trainset import coded_trainset
from cfbench_surprise.whole_ratings import whole_ratings


@dataclass
class SurpriseCoClustering(Adapter, kind="cfbench-surprise.coclustering.2", learned_=BiasedFactors):
    """Surprise's CoClustering: the mean of a user cluster on an item cluster, with user and item offsets.

    ``r(u, i) = C(c_u, c_i) + (mu_u - C(c_u)) + (mu_i - C(c_i))``, where ``C`` are mean ratings of the co-cluster, the
    user's cluster and the item's cluster, and ``mu_u``, ``mu_i`` mean ratings of user and item. Unknown users and items
    get NaN (the library answers the training mean, having learned nothing of them). George and Merugu, "A scalable
    collaborative filtering framework based on co-clustering", ICDM 2005. Parameters are the library's own;
    ``random_state=None`` takes the seed of the run. Ratings between whole numbers are learned exactly, which the
    bare library does not do (:mod:`cfbench_surprise.whole_ratings`).
    """

    n_cltr_u: int = 3
    n_cltr_i: int = 3
    epochs: int = 20
    random_state: int | None = None

    seed_names: ClassVar = {"epochs": "n_epochs"}

    def __post_init__(self) -> None:
        require_whole(self, 0, "random_state")
        require_whole(self, 1, "n_cltr_u", "n_cltr_i", "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first clusters."""
        ratings, units = whole_ratings(train.ratings)
        coded = coded_trainset(train, ratings)
        algo = CoClustering(**self.arguments(context)).fit(coded.trainset)
        users = (algo.user_mean - algo.avg_cltr_u[algo.cltr_u]) / units
        items = (algo.item_mean - algo.avg_cltr_i[algo.cltr_i]) / units
        # The co-cluster's mean is a product of factors: its row of means by its one-hot item cluster.
        self.learned_ = BiasedFactors(
            biases=Biases(0.0, coded.by_user(users, np.nan), coded.by_item(items, np.nan)),
            users=coded.by_user(algo.avg_cocltr[algo.cltr_u] / units),
            items=coded.by_item(np.eye(self.n_cltr_i)[algo.cltr_i]),
        )
