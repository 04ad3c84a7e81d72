"""Damped user and item biases, from which several models start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes, Ratings, Vector


@dataclass(frozen=True, eq=False)
class DampedBiases:
    """``b(u, i) = mu + b_u + b_i``.

    Attributes:
        mean: ``mu``, the mean of all training ratings, in rating units.
        users: ``b_u``, shape (n_users + 1,), in rating units; 0 for the unknown user.
        items: ``b_i``, shape (n_items + 1,), likewise.
    """

    mean: float
    users: Vector[np.float64]
    items: Vector[np.float64]

    def of_pairs(self, users: Codes, items: Codes) -> NDArray[np.float64]:
        """``b(u, i)`` for pairs of codes, shape (m,); an unknown user or item adds nothing."""
        return self.mean + self.users[users] + self.items[items]

    def of_rows(self, users: Codes) -> NDArray[np.float32]:
        """``b(u, i)`` of each user and every training item, shape (b, n_items): many, hence in single precision."""
        by_user = (self.mean + self.users[users]).astype(np.float32)
        return by_user[:, None] + self.items[None, :-1].astype(np.float32)


def damped_biases(train: Ratings, *, damping_users: float, damping_items: float, iterations: int) -> DampedBiases:
    """Fit the biases by alternating least squares, items first, starting from zero.

    Each half-step is the closed form that minimises ``sum (r - mu - b_u - b_i)^2 + l_u sum b_u^2 + l_i sum b_i^2``
    over one side, the other being fixed::

        b_i = sum over raters of i (r(u, i) - mu - b_u) / (l_i + n_i)
        b_u = sum over items of u (r(u, i) - mu - b_i) / (l_u + n_u)

    ``damping_users`` (``l_u``) and ``damping_items`` (``l_i``) are counts of ratings: a bias seen in as many
    ratings as its damping is halved. One iteration is the sequential estimate of Koren (2010).
    """
    centred = train.ratings.astype(np.float64) - train.mean
    users = np.zeros(train.n_users + 1)
    items = np.zeros(train.n_items + 1)
    for _ in range(iterations):
        items = damped_means(train.items, centred - users[train.users], train.n_items, damping_items)
        users = damped_means(train.users, centred - items[train.items], train.n_users, damping_users)
    return DampedBiases(mean=train.mean, users=users, items=items)


def damped_means(codes: Codes, residuals: NDArray[np.float64], n: int, damping: float) -> NDArray[np.float64]:
    """Sum ``residuals``, shape (m,), by code, over (count + damping): shape (n + 1,), 0 where there is nothing."""
    sums = np.bincount(codes, weights=residuals, minlength=n + 1)
    weights = np.bincount(codes, minlength=n + 1) + damping
    means: NDArray[np.float64] = np.divide(sums, weights, out=np.zeros(n + 1), where=weights > 0)
    return means
