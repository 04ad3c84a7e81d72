"""Columns of a factorisation machine that belong to users, or to items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack

from cfbench.model import Codes, Features, Vocabulary


@dataclass(frozen=True, eq=False)
class Side:
    """The features ``x_e`` of every training user ``e`` (or item): groups of columns, each with a prior of its own.

    The first group is a column for each entity, 1 for itself. A second, of history, has a column for each entity of the
    other side, ``1 / sqrt(n_e)`` where the two have a training rating. The last has a column for each indicator of
    ``vocabulary``, 1 over the root of the number of values that the entity has in the same column of features.

    Attributes:
        matrix: ``x_e`` row by row, shape (n, width), float64.
        groups: number of columns of each group.
        vocabulary: the columns of the last group, or None where there is no side information.
    """

    matrix: csr_array
    groups: tuple[int, ...]
    vocabulary: Vocabulary | None

    @classmethod
    def of(cls, codes: Codes, others: Codes | None, n: int, n_others: int, features: Features | None) -> Side:
        """Build the side of ``n`` entities whose ratings have ``codes``, shape (m,).

        ``others`` are the codes of the other side in the same ratings, ``0 .. n_others-1``, for the history, or None
        for no history; ``features`` are those of the entities, or None.
        """
        parts: list[Any] = [eye_array(n, format="csr")]
        if others is not None:
            parts.append(_history(codes, others, n, n_others))
        vocabulary = None
        if features is not None:
            vocabulary = Vocabulary.of(features)
            parts.append(described(features, vocabulary))
        groups = tuple(part.shape[1] for part in parts)
        return cls(csr_array(hstack(parts, format="csr")), groups, vocabulary)


def described(features: Features, vocabulary: Vocabulary) -> csr_array:
    """Return the columns of side information for any n entities, shape (n, len(vocabulary)), float64."""
    found = vocabulary.memberships(features)
    shares = 1 / np.sqrt(vocabulary.values_per_column(found))
    return csr_array((shares, found.indices, found.indptr), shape=(len(features), len(vocabulary)))


def _history(codes: Codes, others: Codes, n: int, n_others: int) -> csr_array:
    """Return the history of every entity, rows of length 1; a pair that was rated twice counts twice."""
    counts: NDArray[np.int64] = np.bincount(codes, minlength=n)
    weights = 1 / np.sqrt(counts[codes])
    return csr_array((weights, (codes, others)), shape=(n, n_others))
