"""The mean rating of each user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved, Vector
from cfbench_baselines.group_means import group_means


@dataclass
class UserMean(Saved, kind="cfbench-baselines.user-mean.2", means_=Vector[np.float64], n_items_=int):
    """Predicts the mean training rating of the user.

    ``r(u, i) = mean of r(u, j) over the items j that u rated in training``. An unknown user has no mean: NaN.
    A user's items all score alike, so the lists are ties, broken by the harness.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Take the means; no randomness."""
        self.means_ = group_means(train.users, train.ratings, train.n_users)
        self.n_items_ = train.n_items

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the users' means, shape (m,); NaN for unknown users."""
        return self.means_[users]

    def score_items(self, users: Codes) -> Floats:
        """Return each user's mean for every item, shape (b, n_items); a row of NaN for unknown users."""
        return np.repeat(self.means_[users, None].astype(np.float32), self.n_items_, axis=1)
