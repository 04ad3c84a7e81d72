"""Biases and factors, and vectorised answers from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.protocols import Embeddings
from cfbench.model.ratings import Codes, Floats
from cfbench_baselines.damped_biases import DampedBiases

_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class BiasedFactors:
    """``r(u, i) = mu + b_u + b_i + p_u . q_i``; unknown users and items have biases and factors 0.

    Attributes:
        biases: ``mu``, ``b_u`` and ``b_i``.
        users: ``p``, shape (n_users + 1, k), float64; 0 in the last row, of the unknown.
        items: ``q``, shape (n_items + 1, k), likewise.
    """

    biases: DampedBiases
    users: NDArray[np.float64]
    items: NDArray[np.float64]

    def of_pairs(self, users: Codes, items: Codes) -> Floats:
        """Answer pairs of codes, shape (m,), in chunks."""
        return self.biases.of_pairs(users, items) + products(self.users, self.items, users, items)

    def of_rows(self, users: Codes) -> Floats:
        """Answer every training item for each of ``users``, shape (b, n_items), in single precision."""
        return self.biases.of_rows(users) + self.users[users].astype(np.float32) @ self.items[:-1].T.astype(np.float32)

    def embeddings(self) -> Embeddings:
        """Return everything without the rows of the unknown; with ``mu`` it adds up to the answers."""
        return Embeddings(
            users=self.users[:-1],
            items=self.items[:-1],
            user_biases=self.biases.users[:-1],
            item_biases=self.biases.items[:-1],
            offset=self.biases.mean,
        )

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all arrays by name, for saving."""
        return {**self.biases.arrays(), "user_factors": self.users, "item_factors": self.items}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> BiasedFactors:
        """Put together what :meth:`arrays` took apart."""
        return cls(DampedBiases.among(arrays), arrays["user_factors"], arrays["item_factors"])


def products(
    user_factors: NDArray[np.float64], item_factors: NDArray[np.float64], users: Codes, items: Codes
) -> NDArray[np.float64]:
    """Return ``p_u . q_i`` for pairs of codes, shape (m,), gathering the factors of a chunk at a time."""
    answers = np.empty(len(users))
    for start in range(0, len(users), _CHUNK):
        part = slice(start, start + _CHUNK)
        answers[part] = np.einsum("mk,mk->m", user_factors[users[part]], item_factors[items[part]])
    return answers


def with_zero_row(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add the row of the unknown."""
    return np.concatenate([factors, np.zeros((1, factors.shape[1]))])
