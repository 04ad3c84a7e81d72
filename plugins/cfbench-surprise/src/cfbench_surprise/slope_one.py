"""SlopeOne: mean differences between items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from surprise import SlopeOne

from cfbench.model import Codes, FitContext, Floats, Matrix, Ratings, Saved, Vector
from cfbench_surprise.trainset import coded_trainset
from cfbench_surprise.whole_ratings import whole_ratings

_CHUNK = 256  # users whose rows are computed at a time


@dataclass
class SurpriseSlopeOne(
    Saved,
    kind="cfbench-surprise.slopeone.2",
    means_=Vector[np.float64],
    deviations_=Matrix[np.float64],
    shares_raters_=Matrix[np.float32],
    rated_values_=Vector[np.float64],
    rated_items_=Vector[np.integer],
    rated_starts_=Vector[np.integer],
):
    """Surprise's SlopeOne: the user's mean plus the mean difference of the item to what the user rated.

    ``r(u, i) = mu_u + mean of dev(i, j) over the items j that u rated and that share a rater with i``, with
    ``dev(i, j) = mean of r(v, i) - r(v, j) over the users v who rated both``. Unknown users and items get NaN. Lemire
    and Maclachlan, "Slope one predictors for online rating-based collaborative filtering", SDM 2005. Memory grows with
    the square of the number of items. Ratings between whole numbers are learned exactly, which the bare
    library does not do (:mod:`cfbench_surprise.whole_ratings`).
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        ratings, units = whole_ratings(train.ratings)
        coded = coded_trainset(train, ratings)
        algo = SlopeOne().fit(coded.trainset)
        self.means_ = coded.by_user(algo.user_mean, np.nan) / units
        order = np.ix_(coded.inner_items, coded.inner_items)
        shares_raters = (algo.freq > 0)[order]
        # Row j is what an item j that the user rated adds to every item i: dev(i, j), which is -dev(j, i).
        self.deviations_ = np.negative(algo.dev[order])
        self.deviations_[~shares_raters] = 0.0
        self.deviations_ /= units
        self.shares_raters_ = shares_raters.astype(np.float32)
        shape = (train.n_users + 1, train.n_items)
        rated = csr_array((np.ones(len(train)), (train.users, train.items)), shape=shape)
        self.rated_values_, self.rated_items_, self.rated_starts_ = rated.data, rated.indices, rated.indptr
        self.after_load()

    def after_load(self) -> None:
        """Put together the sparse matrix of the rated items, shape (n_users + 1, n_items)."""
        shape = (len(self.means_), len(self.deviations_))
        self.rated_ = csr_array((self.rated_values_, self.rated_items_, self.rated_starts_), shape=shape)
        self.rated_.check_format()  # products read what indices point to, wherever that is

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN for unknown users and items."""
        answers = np.full(len(users), np.nan)
        distinct, row = np.unique(users, return_inverse=True)
        known = items < len(self.deviations_)
        for start in range(0, len(distinct), _CHUNK):
            here = known & (row >= start) & (row < start + _CHUNK)
            scores = self.score_items(distinct[start : start + _CHUNK])
            answers[here] = scores[row[here] - start, items[here]]
        return answers

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); a row of NaN for unknown users."""
        rated = self.rated_[users]
        counts = rated @ self.shares_raters_
        sums = rated @ self.deviations_
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        return self.means_[users, None] + means
