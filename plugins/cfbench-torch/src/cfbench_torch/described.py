"""Users or items as rows of a design matrix: what their features say of them, in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model.features import Features
from cfbench.model.vocabulary import Memberships, Vocabulary

_CHUNK = 1 << 22  # numbers of the design matrix held at a time (32 MB)


@dataclass(frozen=True, eq=False)
class Described:
    """The indicators that n entities have, the values of an entity in one column of the features sharing a weight of 1.

    A film of three genres has each with 1/3, so that it weighs no more than a film of one. A column that says nothing
    of an entity has no weight in its row.

    Attributes:
        found: the indicators of every entity, w in all.
        columns: the column that each indicator belongs to, shape (w,).
        shares: 1 / the entity's number of values in the column, for every element of ``found.indices``, shape (nnz,).
    """

    found: Memberships
    columns: NDArray[np.int64]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features, vocabulary: Vocabulary) -> Described:
        """Look up the values of ``features`` in ``vocabulary``."""
        found, columns = vocabulary.memberships(features), vocabulary.columns
        fields = found.rows * max(1, len(vocabulary.marks)) + columns[found.indices]
        return cls(found, columns, 1 / np.bincount(fields)[fields] if len(fields) else np.empty(0))

    @classmethod
    def bare(cls, n: int) -> Described:
        """Return n entities of whom nothing is said, with no indicators at all."""
        none = np.empty(0, dtype=np.int64)
        return cls(Memberships(np.zeros(n + 1, dtype=np.int64), none, 0), none, np.empty(0))

    def __len__(self) -> int:
        return len(self.found)

    def means(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean row, shape (w,), over those of whom a column says something, weighted by ``weights`` (n,)."""
        weighed = weights[self.found.rows] * self.shares
        of_value = np.bincount(self.found.indices, weights=weighed, minlength=self.found.width)
        of_column = np.bincount(self.columns, weights=of_value)[self.columns]
        return np.divide(of_value, of_column, out=np.zeros(self.found.width), where=of_column > 0)

    def centred(self, means: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield chunks of rows less ``means`` (w,), shape (c, w); what is missing counts as the mean, so it is 0."""
        size = max(1, _CHUNK // max(1, self.found.width))
        for start in range(0, len(self), size):
            place = slice(start, min(start + size, len(self)))
            yield place, self._centred(place, means)

    def _centred(self, place: slice, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Build the rows of ``place``, shape (c, w)."""
        first, last = self.found.indptr[place.start], self.found.indptr[place.stop]
        size, values = place.stop - place.start, self.found.indices[first:last]
        rows = np.repeat(np.arange(size), np.diff(self.found.indptr[place.start : place.stop + 1]))
        said = np.zeros((size, self.columns.max(initial=-1) + 1), dtype=np.bool_)
        said[rows, self.columns[values]] = True
        design = np.where(said[:, self.columns], -means, 0.0)
        design[rows, values] += self.shares[first:last]
        return design
