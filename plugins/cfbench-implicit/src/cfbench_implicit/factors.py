"""Factors that the library learns, and what its models answer from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from cfbench.model import Codes, Embeddings, EpochReport, FitContext, Floats, Matrix, Saved


@dataclass(frozen=True, eq=False)
class RankingFactors:
    """``s(u, i) = p_u . q_i``; a score without a unit.

    The library keeps biases as columns behind the factors, with 1 on the other side: that of items, then that of users.

    Attributes:
        users: ``P``, shape (n_users + 1, k'), float32; NaN for the unknown user and users without a positive.
        items: ``Q``, shape (n_items, k'), float32; NaN for items without a positive.
        n_factors: the number k of columns that are factors; k' is k, k + 1 or k + 2.
    """

    users: Matrix[np.float32]
    items: Matrix[np.float32]
    n_factors: int


class AnswersFromFactors(Saved, factors_=RankingFactors):
    """Answers of a model whose ``fit`` learns ``factors_``."""

    factors_: RankingFactors

    def score_items(self, users: Codes) -> Floats:
        """Return ``p_u . q_i``, biases included, for every item, shape (b, n_items); a row of NaN for unknown users."""
        return self.factors_.users[users] @ self.factors_.items.T

    def embeddings(self) -> Embeddings:
        """Return factors and biases; rows of NaN, about which nothing was learned, become 0."""
        k = self.factors_.n_factors
        users, items = np.nan_to_num(self.factors_.users[:-1]), np.nan_to_num(self.factors_.items)
        return Embeddings(
            users=users[:, :k],
            items=items[:, :k],
            user_biases=users[:, k + 1] if users.shape[1] > k + 1 else None,
            item_biases=items[:, k] if items.shape[1] > k else None,
        )


def fit_factors(
    library_class: Any, matrix: csr_matrix, context: FitContext, *, n_factors: int, epochs: int, **arguments: Any
) -> RankingFactors:
    """Fit one of the library's models, made with further ``arguments``, on ``matrix`` and return its factors.

    The seed starts the factors and draws the samples.
    """

    def report(iteration: int, *_measured: Any) -> None:  # what is measured differs from model to model
        context.on_epoch(EpochReport(iteration + 1, epochs))

    # The library does its own threading and is slowed down many times over by BLAS threads, of which it warns when it
    # is built; hence BLAS gets one thread for building and fitting.
    with threadpool_limits(1, user_api="blas"):
        model = library_class(factors=n_factors, iterations=epochs, random_state=context.library_seed, **arguments)
        model.fit(matrix, show_progress=False, callback=report)
    users = np.asarray(model.user_factors, dtype=np.float32)
    items = np.array(model.item_factors, dtype=np.float32)
    items[np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0] = np.nan
    users = np.concatenate([users, np.full((1, users.shape[1]), np.nan, dtype=np.float32)])
    users[:-1][np.diff(matrix.indptr) == 0] = np.nan
    return RankingFactors(users, items, n_factors)
