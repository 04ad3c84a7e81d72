"""Design matrix: the features of users or items as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Features, Vocabulary

MOST_COLUMNS = 256
"""Vocabularies with more indicators than this share columns in :meth:`DesignMatrix.hashed`."""

_CHUNK = 1 << 22  # numbers of the centred matrix held at a time (32 MB)


@dataclass(frozen=True, eq=False)
class DesignMatrix:
    """Indicators of n entities in CSR form; the values of an entity in one column of the features share a weight of 1.

    A film of three genres has each with 1/3, so that it weighs no more than a film of one. A column that is missing
    for an entity has no weight in its row.

    Attributes:
        indptr: entity e has the elements ``indptr[e]`` to ``indptr[e + 1]`` of the others, shape (n + 1,).
        indices: indicators, 0 to w - 1, shape (nnz,).
        shares: 1 / the entity's number of values in the column, shape (nnz,).
        columns: the column of the features that each indicator belongs to, shape (w,).
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    shares: NDArray[np.float64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, features: Features, vocabulary: Vocabulary) -> DesignMatrix:
        """Look up the values of ``features`` in ``vocabulary``."""
        found, columns = vocabulary.memberships(features), vocabulary.columns
        return cls(found.indptr, found.indices, 1 / vocabulary.values_per_column(found), columns)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def width(self) -> int:
        """w, the number of indicators."""
        return len(self.columns)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The entity of every element of ``indices``, shape (nnz,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def means(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean row, (w,), weighted by ``weights`` (n,); a column's mean is over entities that have it."""
        of_value = np.bincount(self.indices, weights=weights[self.rows] * self.shares, minlength=self.width)
        of_column = np.bincount(self.columns, weights=of_value)[self.columns]
        return np.divide(of_value, of_column, out=np.zeros(self.width), where=of_column > 0)

    def centred(self, means: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield chunks of rows minus ``means`` (w,), shape (c, w); missing columns count as the mean, so as 0."""
        size = max(1, _CHUNK // max(1, self.width))
        for start in range(0, len(self), size):
            place = slice(start, min(start + size, len(self)))
            indptr = self.indptr[start : place.stop + 1]
            rows, values = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), self.indices[indptr[0] : indptr[-1]]
            present = np.zeros((len(indptr) - 1, self.columns.max(initial=-1) + 1), dtype=np.bool_)
            present[rows, self.columns[values]] = True
            matrix = np.where(present[:, self.columns], -means, 0.0)
            matrix[rows, values] += self.shares[indptr[0] : indptr[-1]]
            yield place, matrix

    def hashed(self) -> NDArray[np.float32]:
        """Return the rows, shape (n, x); indicator v is in column v modulo x, at most :data:`MOST_COLUMNS`."""
        width = min(self.width, MOST_COLUMNS)
        cells = self.rows * width + self.indices % max(1, width)
        flat = np.bincount(cells, weights=self.shares, minlength=len(self) * width)
        return flat.reshape(len(self), width).astype(np.float32)


def encoded(features: Features | None, n: int) -> tuple[Vocabulary, DesignMatrix]:
    """Learn the vocabulary of the features of ``n`` training entities and encode them; both are empty for None."""
    if features is None:
        none = np.empty(0, dtype=np.int64)
        return Vocabulary(MappingProxyType({})), DesignMatrix(np.zeros(n + 1, dtype=np.int64), none, np.empty(0), none)
    vocabulary = Vocabulary.of(features)
    return vocabulary, DesignMatrix.of(features, vocabulary)
