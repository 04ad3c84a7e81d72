"""What the features of users or items say, as the dense rows that a network takes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.features import Features
from cfbench.model.vocabulary import Vocabulary
from cfbench_torch.described import Described

MOST_COLUMNS = 256
"""Vocabularies with more indicators than this share columns, indicator v being in column v modulo this."""


@dataclass(frozen=True, eq=False)
class Indicators:
    """The rows of one side: known entities, newcomers, and the unknown one, of whom nothing is said.

    Attributes:
        vocabulary: the indicators, those of the training entities.
        rows: weights of indicators as in :class:`cfbench_torch.described.Described`, shape (n + 1, w), float32; the
            last row, of the unknown, is 0. w is 0 where there are no features.
    """

    vocabulary: Vocabulary
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, features: Features | None, n: int) -> Indicators:
        """Learn the vocabulary of ``n`` training entities and look them up in it."""
        vocabulary = Vocabulary(MappingProxyType({})) if features is None else Vocabulary.of(features)
        unknown = np.zeros((1, min(len(vocabulary), MOST_COLUMNS)), dtype=np.float32)
        if features is None:
            return cls(vocabulary, np.repeat(unknown, n + 1, axis=0))
        return cls(vocabulary, np.vstack([_rows(features, vocabulary), unknown]))

    def met(self, cold_entities: Features | None) -> Indicators:
        """Return these rows with those of newcomers before the last."""
        if cold_entities is None:
            return self
        return Indicators(
            self.vocabulary, np.vstack([self.rows[:-1], _rows(cold_entities, self.vocabulary), self.rows[-1:]])
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for a saved model."""
        return self.vocabulary.arrays() | {"rows": self.rows}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> Indicators:
        """Put together what :meth:`arrays` took apart."""
        vocabulary = Vocabulary.among(arrays)
        assert vocabulary is not None  # it is saved where it is empty, too
        return cls(vocabulary, arrays["rows"])


def _rows(features: Features, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Return a row for each of n entities, shape (n, w)."""
    described = Described.of(features, vocabulary)
    width = min(len(vocabulary), MOST_COLUMNS)
    if not width:
        return np.zeros((len(described), 0), dtype=np.float32)
    cells = described.found.rows * width + described.found.indices % width
    flat = np.bincount(cells, weights=described.shares, minlength=len(described) * width)
    return flat.reshape(len(described), width).astype(np.float32)
