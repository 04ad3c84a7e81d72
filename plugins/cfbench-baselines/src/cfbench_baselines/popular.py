"""The most rated items first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved, Vector


@dataclass
class Popular(Saved, kind="cfbench-baselines.popular.2", counts_=Vector[np.float32]):
    """Ranks items by their number of training ratings; predicts no ratings.

    ``s(u, i) = number of training ratings of i``, the same list for everyone, known or not. The baseline of
    every ranking table and the far end of popularity bias.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Count the ratings; no randomness."""
        self.counts_ = train.item_counts.astype(np.float32)

    def score_items(self, users: Codes) -> Floats:
        """Return the counts for each user, shape (b, n_items)."""
        return np.repeat(self.counts_[None, :], len(users), axis=0)
