"""SlopeOne: mean differences between items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from surprise import SlopeOne

from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.trainset import coded_trainset
from cfbench_surprise.whole_ratings import whole_ratings

_CHUNK = 256

_KIND = "cfbench-surprise.slopeone.1"


@dataclass
class SurpriseSlopeOne:
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
        self.rated_ = csr_array((np.ones(len(train)), (train.users, train.items)), shape=shape)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN for unknown users and items."""
        answers = np.full(len(users), np.nan)
        asked, row = np.unique(users, return_inverse=True)
        known = items < len(self.deviations_)
        for start in range(0, len(asked), _CHUNK):
            here = known & (row >= start) & (row < start + _CHUNK)
            scores = self._rows(asked[start : start + _CHUNK])
            answers[here] = scores[row[here] - start, items[here]]
        return answers

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); a row of NaN for unknown users."""
        return self._rows(users)

    def save(self, directory: Path) -> None:
        """Write means, deviations and who rated what."""
        arrays = {
            "means": self.means_,
            "deviations": self.deviations_,
            "shares_raters": self.shares_raters_,
            "rated_values": self.rated_.data,
            "rated_items": self.rated_.indices,
            "rated_starts": self.rated_.indptr,
        }
        save_parts(directory, _KIND, arrays)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, _ = load_parts(directory, _KIND)
        model = cls()
        model.means_, model.deviations_ = arrays["means"], arrays["deviations"]
        model.shares_raters_ = arrays["shares_raters"]
        rated = arrays["rated_values"], arrays["rated_items"], arrays["rated_starts"]
        model.rated_ = csr_array(rated, shape=(len(model.means_), len(model.deviations_)))
        return model

    def _rows(self, users: Codes) -> NDArray[np.float64]:
        rated = self.rated_[users]
        counts = rated @ self.shares_raters_
        sums = rated @ self.deviations_
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        return self.means_[users, None] + means
