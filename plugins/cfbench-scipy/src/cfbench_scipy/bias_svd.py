"""Singular value decomposition that fills in what is missing, with shrunken singular values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from cfbench.model import EpochReport, FitContext, Floats, Ratings, pair_products, require_at_least, require_whole
from cfbench_baselines.damped_biases import DampedBiases, damped_biases, damped_means
from cfbench_scipy.biased_factors import AnswersFromFactors, BiasedFactors
from cfbench_scipy.grouped import Grouped


@dataclass
class BiasSVD(AnswersFromFactors, kind="cfbench-scipy.bias-svd.2"):
    """Damped biases plus a shrunken SVD of the residuals, missing ones being filled in by the model itself.

    ``r(u, i) = mu + b_u + b_i + p_u . q_i``. Where ``svd`` takes a missing rating for an average one, here the matrix
    of residuals is completed with the current ``P Q'``, decomposed again, its singular values are lowered by ``lambda``
    (at least to 0), and so on: with the biases fixed this converges to the minimum over matrices X of
    ``sum over ratings of (r - mu - b_u - b_i - x_ui)^2 / 2 + lambda |X|_*``, the nuclear norm being the sum of the
    singular values. Biases are fitted again to what ``X`` leaves over. ``lambda`` is ``shrinkage`` times the singular
    value that pure noise as strong as the residuals would have::

        lambda = shrinkage * std(r - mu - b_u - b_i) * (sqrt(n / n_users) + sqrt(n / n_items))

    The filled matrix is never made: the decomposition is one step of subspace iteration from the last one, which
    needs the sparse residuals and the factors. Unknown users and items have biases and factors 0. Mazumder, Hastie and
    Tibshirani, "Spectral regularization algorithms for learning large incomplete matrices", JMLR 2010; Hastie et al.,
    "Matrix completion and low-rank SVD via fast alternating least squares", JMLR 2015.

    Attributes:
        n_factors: most singular values that are kept; at most one for each user and item.
        shrinkage: what singular values are lowered by, in units of noise.
        damping_users: ratings at which a user's bias is halved.
        damping_items: ratings at which an item's bias is halved.
        epochs: decompositions.
    """

    n_factors: int = 60
    shrinkage: float = 1.0
    damping_users: float = 3.0
    damping_items: float = 3.0
    epochs: int = 30

    seed_names: ClassVar = {"epochs": "iterations"}

    def __post_init__(self) -> None:
        require_at_least(self, 0, "shrinkage", "damping_users", "damping_items")
        require_whole(self, 1, "n_factors", "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit biases and decomposition in turn; the seed draws the first subspace."""
        biases = damped_biases(train, damping_users=self.damping_users, damping_items=self.damping_items, iterations=10)
        by_user = Grouped.by(train.users, train.n_users)
        sorted_items, shape = train.items[by_user.order], (train.n_users, train.n_items)
        rank = min(self.n_factors, train.n_users, train.n_items)
        items, _ = np.linalg.qr(context.rng().standard_normal((train.n_items, rank)))
        found = _Decomposition(np.zeros((train.n_users, rank)), np.zeros(rank), items)
        unexplained = train.ratings - biases.of_pairs(train.users, train.items)
        noise = float(np.std(unexplained)) * (np.sqrt(len(train) / train.n_users) + np.sqrt(len(train) / train.n_items))
        with threadpool_limits(context.threads, user_api="blas"):
            for epoch in range(1, self.epochs + 1):
                # A pair that was rated twice has two entries, which products add up.
                residuals = csr_array((unexplained[by_user.order], sorted_items, by_user.starts), shape=shape)
                found = found.refined(residuals, self.shrinkage * noise)
                low_rank = pair_products(found.users * found.strengths, found.items, train.users, train.items)
                biases = self._refitted(train, biases, low_rank)
                unexplained = train.ratings - biases.of_pairs(train.users, train.items) - low_rank
                loss = float(np.mean(unexplained**2))
                context.on_epoch(EpochReport(epoch, self.epochs, train_loss=loss))
        self.factors_ = BiasedFactors.of(biases, found.users * found.strengths, found.items)

    def _refitted(self, train: Ratings, biases: DampedBiases, low_rank: Floats) -> DampedBiases:
        """Fit the biases, items first, to what the mean and ``low_rank``, shape (n,), leave over."""
        unexplained = train.ratings - (train.mean + low_rank)
        items = damped_means(train.items, unexplained - biases.users[train.users], train.n_items, self.damping_items)
        users = damped_means(train.users, unexplained - items[train.items], train.n_users, self.damping_users)
        return DampedBiases(train.mean, users, items)


@dataclass(frozen=True, eq=False)
class _Decomposition:
    """``X = U diag(d) V'`` of low rank.

    Attributes:
        users: ``U``, orthonormal columns, shape (n_users, k).
        strengths: ``d``, descending, at least 0, shape (k,).
        items: ``V``, orthonormal columns, shape (n_items, k).
    """

    users: NDArray[np.float64]
    strengths: NDArray[np.float64]
    items: NDArray[np.float64]

    def refined(self, residuals: csr_array, shrinkage: float) -> _Decomposition:
        """Decompose ``residuals + X``, starting from these subspaces, and lower its singular values."""
        strong = self.users * self.strengths
        users, _ = np.linalg.qr(residuals @ self.items + strong)  # X V is U d
        right = residuals.T @ users + self.items @ (strong.T @ users)
        items, strengths, turned = np.linalg.svd(right, full_matrices=False)
        return _Decomposition(users @ turned.T, np.maximum(strengths - shrinkage, 0), items)
