"""Factors that rank, with NaN for whoever they know nothing about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from cfbench.model.protocols import Embeddings, EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats


@dataclass(frozen=True, eq=False)
class RankingFactors:
    """``s(u, i) = p_u . q_i``; a score without a unit.

    Attributes:
        users: ``P``, shape (n_users + 1, k), float32; NaN for the unknown user and users without a positive.
        items: ``Q``, shape (n_items, k), float32; NaN for items without a positive.
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]

    def scores(self, users: Codes) -> Floats:
        """Score every item for each of ``users``, shape (b, n_items)."""
        return self.users[users] @ self.items.T

    def embeddings(self, k: int, *, item_bias: int | None = None, user_bias: int | None = None) -> Embeddings:
        """Return the first ``k`` columns as factors, and as biases the columns that the other side multiplies by 1.

        Rows of NaN, about which nothing was learned, become 0.
        """
        users, items = np.nan_to_num(self.users[:-1]), np.nan_to_num(self.items)
        return Embeddings(
            users=users[:, :k],
            items=items[:, :k],
            user_biases=None if user_bias is None else users[:, user_bias],
            item_biases=None if item_bias is None else items[:, item_bias],
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return both arrays by name, for saving."""
        return {"users": self.users, "items": self.items}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> RankingFactors:
        """Put together what :meth:`arrays` took apart."""
        return cls(arrays["users"], arrays["items"])


def fit_factors(build: Callable[[], Any], matrix: csr_matrix, context: FitContext, *, epochs: int) -> RankingFactors:
    """Build one of the library's models, fit it on ``matrix`` and keep its factors.

    The library does its own threading and is slowed down many times over by BLAS threads, of which it warns
    when it is built; hence BLAS gets one thread for building and fitting.
    """

    def report(iteration: int, *_measured: Any) -> None:  # what is measured differs from model to model
        context.on_epoch(EpochReport(iteration + 1, epochs))

    with threadpool_limits(1, user_api="blas"):
        model = build()
        model.fit(matrix, show_progress=False, callback=report)
    users = np.asarray(model.user_factors, dtype=np.float32)
    items = np.array(model.item_factors, dtype=np.float32)
    items[np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0] = np.nan
    stranger = np.full((1, users.shape[1]), np.nan, dtype=np.float32)
    users = np.concatenate([users, stranger])
    users[:-1][np.diff(matrix.indptr) == 0] = np.nan
    return RankingFactors(users=users, items=items)


def library_seed(context: FitContext) -> int:
    """Reduce the cell's seed to the 32 bits that the library's generators take."""
    return context.seed % 2**32
