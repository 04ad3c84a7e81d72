"""Truncated SVD of what damped biases leave over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from cfbench.model import FitContext, Ratings, require_at_least, require_whole
from cfbench_baselines.damped_biases import DampedBiases, damped_biases
from cfbench_scipy.biased_factors import AnswersFromFactors, BiasedFactors


@dataclass
class TruncatedSVD(AnswersFromFactors, kind="cfbench-scipy.svd.2"):
    """Damped biases plus a truncated SVD of the ratings they leave over.

    ``r(u, i) = mu + b_u + b_i + p_u . q_i``, where the rows of ``P = U S`` and ``Q = V`` come from the best
    approximation ``U S V'`` of rank ``n_factors`` to the matrix of ``r(u, i) - mu - b_u - b_i``, with 0 where there
    is no rating. The biases are those of :func:`cfbench_baselines.damped_biases.damped_biases`. Since a missing
    rating counts as an average one, few factors predict ratings best. Unknown users and items have biases and
    factors 0. Sarwar et al., "Application of dimensionality reduction in recommender system",
    WebKDD 2000; Cremonesi, Koren and Turrin, "Performance of recommender algorithms on top-n tasks", RecSys 2010.

    Attributes:
        n_factors: rank of the approximation; at most one less than the smaller side of the matrix is used.
        damping_users: ratings at which a user's bias is halved.
        damping_items: ratings at which an item's bias is halved.
        iterations: alternations of the biases.
    """

    n_factors: int = 15
    damping_users: float = 5.0
    damping_items: float = 5.0
    iterations: int = 10

    def __post_init__(self) -> None:
        require_at_least(self, 0, "damping_users", "damping_items")
        require_whole(self, 1, "n_factors", "iterations")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit the biases, then the factors; the seed sets the start vector of the Lanczos iteration."""
        biases = damped_biases(
            train,
            damping_users=self.damping_users,
            damping_items=self.damping_items,
            iterations=self.iterations,
        )
        with threadpool_limits(context.threads, user_api="blas"):
            self.factors_ = BiasedFactors.of(biases, *_factors(train, biases, self.n_factors, context))


def _factors(
    train: Ratings, biases: DampedBiases, n_factors: int, context: FitContext
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``U S``, shape (n_users, k), and ``V``, shape (n_items, k)."""
    residuals = train.ratings - biases.of_pairs(train.users, train.items)
    shape = (train.n_users, train.n_items)
    rank = min(n_factors, min(shape) - 1)
    if rank < 1 or not np.any(residuals):  # the Lanczos iteration needs something to approximate
        return np.zeros((shape[0], 0)), np.zeros((shape[1], 0))
    matrix = csr_array((residuals, (train.users, train.items)), shape=shape)
    start = context.rng().standard_normal(min(shape))
    left, strengths, right = svds(matrix, k=rank, v0=start)
    return left * strengths, right.T
