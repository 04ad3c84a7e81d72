"""Formulas of biases and factors, vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes, Embeddings, Floats, Matrix, Vector, pair_products
from cfbench_surprise.adapter import Adapter
from cfbench_surprise.trainset import CodedTrainset


@dataclass(frozen=True, eq=False)
class Biases:
    """``r(u, i) = mean + b_u + b_i``, unknown codes being the last entry of each array.

    Attributes:
        mean: the constant part, in rating units.
        users: ``b_u``, shape (n_users + 1,); NaN for the unknown user where the model cannot do without.
        items: ``b_i``, shape (n_items + 1,), likewise.
    """

    mean: float
    users: Vector[np.float64]
    items: Vector[np.float64]

    def of_pairs(self, users: Codes, items: Codes) -> NDArray[np.float64]:
        """Answer pairs of codes, shape (m,)."""
        return self.mean + self.users[users] + self.items[items]

    def of_rows(self, users: Codes) -> NDArray[np.float64]:
        """Answer every item for each of ``users``, shape (b, n_items)."""
        return self.mean + self.users[users, None] + self.items[None, :-1]


@dataclass(frozen=True, eq=False)
class BiasedFactors:
    """``r(u, i) = mean + b_u + b_i + p_u . q_i``, unknown codes being the last row of every array.

    Attributes:
        biases: ``mean + b_u + b_i``.
        users: ``p_u``, shape (n_users + 1, k); NaN in the last row where unknown users get no prediction.
        items: ``q_i``, shape (n_items + 1, k), likewise.
    """

    biases: Biases
    users: Matrix[np.float64]
    items: Matrix[np.float64]

    @classmethod
    def of(cls, algo: Any, coded: CodedTrainset) -> BiasedFactors:
        """Take ``bu``, ``bi``, ``pu``, ``qi`` out of a fitted SVD or NMF of the library.

        Where it is biased, unknown users and items have biases and factors 0; otherwise it has no
        prediction for them: factors of NaN.
        """
        mean, unknown = (coded.mean, 0.0) if algo.biased else (0.0, np.nan)
        biases = Biases(mean, coded.by_user(algo.bu), coded.by_item(algo.bi))
        return cls(biases, coded.by_user(algo.pu, unknown), coded.by_item(algo.qi, unknown))

    def of_pairs(self, users: Codes, items: Codes) -> Floats:
        """Answer pairs of codes, shape (m,)."""
        return self.biases.of_pairs(users, items) + pair_products(self.users, self.items, users, items)

    def of_rows(self, users: Codes) -> Floats:
        """Answer every item for each of ``users``, shape (b, n_items)."""
        return self.biases.of_rows(users) + self.users[users] @ self.items[:-1].T


class FactorModel(Adapter, learned_=BiasedFactors):
    """Base of models whose biases and factors are embeddings of users and items."""

    def embeddings(self) -> Embeddings:
        """Return factors and biases that add up to the prediction; no biases where the model learns none."""
        learned: BiasedFactors = self.learned_
        biased = getattr(self, "biased", True)
        return Embeddings(
            users=learned.users[:-1],
            items=learned.items[:-1],
            user_biases=learned.biases.users[:-1] if biased else None,
            item_biases=learned.biases.items[:-1] if biased else None,
            offset=learned.biases.mean,
        )
