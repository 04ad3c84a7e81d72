"""Co-clustering of users and items."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from surprise import CoClustering

from cfbench.model.limits import require_at_least
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biased_factors import BiasedFactors
from cfbench_surprise.biases import Biases
from cfbench_surprise.options import arguments, library_seed
from cfbench_surprise.trainset import coded_trainset
from cfbench_surprise.whole_ratings import whole_ratings

_KIND = "cfbench-surprise.coclustering.1"


@dataclass
class SurpriseCoClustering:
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
    n_epochs: int = 20
    random_state: int | None = None

    def __post_init__(self) -> None:
        require_at_least(self, 0, "random_state")
        require_at_least(self, 1, "n_cltr_u", "n_cltr_i", "n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first clusters."""
        ratings, units = whole_ratings(train.ratings)
        coded = coded_trainset(train, ratings)
        seed = library_seed(self.random_state, context)
        algo = CoClustering(**(arguments(self) | {"random_state": seed})).fit(coded.trainset)
        users = (algo.user_mean - algo.avg_cltr_u[algo.cltr_u]) / units
        items = (algo.item_mean - algo.avg_cltr_i[algo.cltr_i]) / units
        # The co-cluster's mean is a product of factors: its row of means by its one-hot item cluster.
        self.factors_ = BiasedFactors(
            biases=Biases(0.0, coded.by_user(users, np.nan), coded.by_item(items, np.nan)),
            user_factors=coded.by_user(algo.avg_cocltr[algo.cltr_u] / units),
            item_factors=coded.by_item(np.eye(self.n_cltr_i)[algo.cltr_i]),
        )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN for unknown users and items."""
        return self.factors_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); a row of NaN for unknown users."""
        return self.factors_.of_rows(users)

    def save(self, directory: Path) -> None:
        """Write offsets and means of clusters."""
        save_parts(directory, _KIND, self.factors_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.factors_ = BiasedFactors.among(arrays)
        return model
