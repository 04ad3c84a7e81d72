"""Biases and factors, and what the models of this plugin answer from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes, Embeddings, Floats, Matrix, Saved, pair_products
from cfbench_baselines.damped_biases import DampedBiases


@dataclass(frozen=True, eq=False)
class BiasedFactors:
    """``r(u, i) = mu + b_u + b_i + p_u . q_i``; unknown users and items have biases and factors 0.

    Attributes:
        biases: ``mu``, ``b_u`` and ``b_i``.
        users: ``p``, shape (n_users + 1, k), float64; 0 in the last row, of the unknown.
        items: ``q``, shape (n_items + 1, k), likewise.
    """

    biases: DampedBiases
    users: Matrix[np.float64]
    items: Matrix[np.float64]

    @classmethod
    def of(cls, biases: DampedBiases, users: NDArray[np.float64], items: NDArray[np.float64]) -> BiasedFactors:
        """Add the rows of the unknown to the factors of training users (n_users, k) and items (n_items, k)."""
        unknown = np.zeros((1, users.shape[1]))
        return cls(biases, np.concatenate([users, unknown]), np.concatenate([items, unknown]))

    def of_pairs(self, users: Codes, items: Codes) -> Floats:
        """Answer pairs of codes, shape (m,)."""
        return self.biases.of_pairs(users, items) + pair_products(self.users, self.items, users, items)


class AnswersFromFactors(Saved, factors_=BiasedFactors):
    """Answers of a model whose ``fit`` learns ``factors_``."""

    factors_: BiasedFactors

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i + p_u . q_i``, shape (m,)."""
        return self.factors_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the predictions for every training item, shape (b, n_items), in single precision."""
        known = self.factors_
        products = known.users[users].astype(np.float32) @ known.items[:-1].T.astype(np.float32)
        return known.biases.of_rows(users) + products

    def embeddings(self) -> Embeddings:
        """Return factors and biases without the rows of the unknown; with ``mu`` they add up to the prediction."""
        known = self.factors_
        return Embeddings(
            users=known.users[:-1],
            items=known.items[:-1],
            user_biases=known.biases.users[:-1],
            item_biases=known.biases.items[:-1],
            offset=known.biases.mean,
        )
