"""Biases and factors that an iterative method learned, and vectorised answers from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.protocols import Embeddings
from cfbench.model.ratings import Codes, Floats
from cfbench_surprise.biases import Biases

_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class BiasedFactors:
    """``r(u, i) = mean + b_u + b_i + p_u . q_i``, unknown codes being the last row of every array.

    Attributes:
        biases: ``mean + b_u + b_i``.
        user_factors: ``p_u``, shape (n_users + 1, k); NaN in the last row where strangers get no answer.
        item_factors: ``q_i``, shape (n_items + 1, k), likewise.
    """

    biases: Biases
    user_factors: NDArray[np.float64]
    item_factors: NDArray[np.float64]

    def embeddings(self, *, biased: bool) -> Embeddings:
        """Return the arrays without the rows of the unknown; no biases where the model has not learned any."""
        return Embeddings(
            users=self.user_factors[:-1],
            items=self.item_factors[:-1],
            user_biases=self.biases.users[:-1] if biased else None,
            item_biases=self.biases.items[:-1] if biased else None,
            offset=self.biases.mean,
        )

    def of_pairs(self, users: Codes, items: Codes) -> Floats:
        """Answer pairs of codes, shape (m,), in chunks."""
        answers = self.biases.of_pairs(users, items)
        for start in range(0, len(users), _CHUNK):
            part = slice(start, start + _CHUNK)
            left, right = self.user_factors[users[part]], self.item_factors[items[part]]
            answers[part] += np.einsum("mk,mk->m", left, right)
        return answers

    def of_rows(self, users: Codes) -> Floats:
        """Answer every item for each of ``users``, shape (b, n_items)."""
        return self.biases.of_rows(users) + self.user_factors[users] @ self.item_factors[:-1].T

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all arrays by name, for saving."""
        return {**self.biases.arrays(), "user_factors": self.user_factors, "item_factors": self.item_factors}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> BiasedFactors:
        """Put together what :meth:`arrays` took apart."""
        return cls(Biases.among(arrays), arrays["user_factors"], arrays["item_factors"])
