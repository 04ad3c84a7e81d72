"""The mean rating of each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved, Vector
from cfbench_baselines.group_means import group_means


@dataclass
class ItemMean(Saved, kind="cfbench-baselines.item-mean.2", means_=Vector[np.float64]):
    """Predicts the mean training rating of the item.

    ``r(u, i) = mean of r(v, i) over the users v who rated i in training``. An unknown item has no mean: NaN.
    As a ranking it shows why undamped means do not rank: items with a single top rating come first.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Take the means; no randomness."""
        self.means_ = group_means(train.items, train.ratings, train.n_items)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the items' means, shape (m,); NaN for unknown items."""
        return self.means_[items]

    def score_items(self, users: Codes) -> Floats:
        """Return the items' means, the same for every user, known or not; shape (b, n_items)."""
        return np.repeat(self.means_[None, :-1].astype(np.float32), len(users), axis=0)
