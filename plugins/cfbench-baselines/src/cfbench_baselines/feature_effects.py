"""Effects of features (genres, ages ...) on the biases of users or items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Features, Vector, Vocabulary


@dataclass(frozen=True, eq=False)
class FeatureEffects:
    """An effect on the bias for every value that a feature can have.

    The expected bias of an entity is the sum over columns of the mean effect of the values that it has in the column
    (the genres of a film); 0 where nothing is known::

        p_e = sum over columns c of (sum of f_v over the values v of e in c) / their number

    Attributes:
        vocabulary: the values, those of the training entities.
        effects: ``f_v``, in rating units, shape (len(vocabulary),).
    """

    vocabulary: Vocabulary
    effects: Vector[np.float64]

    def expected(self, features: Features) -> NDArray[np.float64]:
        """Return ``p_e`` of each of the n entities, shape (n,), in rating units."""
        return DescribedEntities.of(features, self.vocabulary).expected(self.effects)


@dataclass(frozen=True, eq=False)
class DescribedEntities:
    """Entities with the values of their features, one element for each value of each entity.

    Attributes:
        n: number of entities.
        vocabulary: the values.
        entities: entity of each element, shape (nnz,).
        values: its value as a number in the vocabulary, shape (nnz,).
        shares: 1 / the entity's number of values in that column, shape (nnz,).
    """

    n: int
    vocabulary: Vocabulary
    entities: NDArray[np.int64]
    values: NDArray[np.int64]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features, vocabulary: Vocabulary) -> DescribedEntities:
        """Look up the values of ``features`` in ``vocabulary``."""
        found = vocabulary.memberships(features)
        shares = 1 / vocabulary.values_per_column(found)
        return cls(len(features), vocabulary, found.rows, found.indices, shares)

    def expected(self, effects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``p_e`` for given effects, shape (n,)."""
        parts = self.shares * effects[self.values]
        return np.bincount(self.entities, weights=parts, minlength=self.n).astype(np.float64)

    def learned(
        self,
        means: NDArray[np.float64],
        weights: NDArray[np.float64],
        *,
        damping: float,
        start: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        """Return effects that explain ``means``, column after column, each from what the other columns leave over.

        ::

            f_v = sum over e with v of w_e (m_e - p_e without the column of v) / (damping + sum over e with v of w_e)

        Args:
            means: ``m_e``, what is to be explained, shape (n,).
            weights: ``w_e``, at least 0, shape (n,).
            damping: weight at which an effect is halved.
            start: effects to begin with, or None for zeros.
        """
        width = len(self.vocabulary)
        effects = np.zeros(width) if start is None else start.copy()
        known = self._summed(weights) + damping
        column_of = self.vocabulary.columns
        for column in range(len(self.vocabulary.marks)):
            effects[column_of == column] = 0
            sums = self._summed(weights * (means - self.expected(effects)))
            found = np.divide(sums, known, out=np.zeros(width), where=known > 0)
            effects = np.where(column_of == column, found, effects)
        return effects

    def _summed(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum ``amounts`` of entities, shape (n,), by value, shape (len(vocabulary),)."""
        parts = amounts[self.entities]
        return np.bincount(self.values, weights=parts, minlength=len(self.vocabulary)).astype(np.float64)
