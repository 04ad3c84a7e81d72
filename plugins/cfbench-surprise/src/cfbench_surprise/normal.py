"""Random ratings from the normal distribution of the training ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from surprise import NormalPredictor

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved, Vector
from cfbench_surprise.trainset import coded_trainset


@dataclass
class SurpriseNormal(
    Saved,
    kind="cfbench-surprise.normal.2",
    mu_=float,
    sigma_=float,
    users_=Vector[np.float64],
    items_=Vector[np.float64],
):
    """Surprise's NormalPredictor: a draw from N(mu, sigma), fitted to the training ratings by maximum likelihood.

    The floor of the library's tables: right on average, the same distribution for every pair. The library draws at
    every prediction from numpy's global generator; here ``r(u, i) = mu + sigma z``, with ``z`` the normal quantile of
    the fractional part of ``a_u + b_i``, all ``a`` and ``b`` uniform on [0, 1) by the seed, so that a pair has the same
    prediction every time. Unknown users and items have a draw of their own.
    """

    random_state: int | None = None

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Let the library find mu and sigma; draw what pairs differ in."""
        coded = coded_trainset(train)
        self.mu_ = coded.mean
        self.sigma_ = float(NormalPredictor().fit(coded.trainset).sigma)
        rng = np.random.default_rng(context.library_seed if self.random_state is None else self.random_state)
        self.users_, self.items_ = rng.random(train.n_users + 1), rng.random(train.n_items + 1)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the draws of pairs, shape (m,); like the library's they can lie off the scale."""
        return self._drawn(self.users_[users] + self.items_[items])

    def score_items(self, users: Codes) -> Floats:
        """Return the draws of every item for each user, shape (b, n_items)."""
        return self._drawn(self.users_[users, None] + self.items_[None, :-1])

    def _drawn(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.clip(places % 1, 2.0**-53, 1 - 2.0**-53)  # the quantiles of 0 and 1 are infinite
        drawn: NDArray[np.float64] = self.mu_ + self.sigma_ * ndtri(share)
        return drawn
