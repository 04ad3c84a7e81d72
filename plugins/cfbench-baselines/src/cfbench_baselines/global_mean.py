"""The mean of all training ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved


@dataclass
class GlobalMean(Saved, kind="cfbench-baselines.global-mean.2", mean_=float, n_items_=int):
    """Predicts the mean of all training ratings for every pair.

    ``r(u, i) = mu``. The floor of every accuracy table: an RMSE above it says that a model is worse than
    a constant. All items score alike, so its lists are ties, broken by the harness.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Take the mean; no randomness."""
        self.mean_ = train.mean
        self.n_items_ = train.n_items

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the mean for every pair, unknown users and items included, shape (m,)."""
        return np.full(len(users), self.mean_)

    def score_items(self, users: Codes) -> Floats:
        """Return the mean for every item, shape (b, n_items)."""
        return np.full((len(users), self.n_items_), self.mean_, dtype=np.float32)
