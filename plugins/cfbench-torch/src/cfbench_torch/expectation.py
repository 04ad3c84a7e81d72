"""What is expected of the embedding of a user or item before any rating of theirs is known."""

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
from cfbench_torch.feature_ridge import FeatureRidge, fit_ridge

_RIDGES = ("vectors", "biases")
_ARRAYS = ("centre", "mean", "coefficients")


@dataclass(frozen=True, eq=False)
class Expectation:
    """Vector and bias that features let expect, regressed apart: what explains them differs, and so do their sizes.

    Attributes:
        vectors: from features to vectors, k numbers.
        biases: from features to biases, one number, in units of the score.
    """

    vectors: FeatureRidge
    biases: FeatureRidge

    def of(self, features: Features) -> NDArray[np.float64]:
        """Return vectors and biases side by side, shape (n, k + 1)."""
        return np.hstack([self.vectors.expected(features), self.biases.expected(features)])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for a saved model."""
        ridges = {f"{name}_{part}": getattr(getattr(self, name), part) for name in _RIDGES for part in _ARRAYS}
        return self.biases.vocabulary.arrays() | ridges

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> Expectation:
        """Put together what :meth:`arrays` took apart."""
        vocabulary = Vocabulary.among(arrays)
        assert vocabulary is not None  # it is saved where it is empty, too
        return cls(*(FeatureRidge(vocabulary, *(arrays[f"{name}_{part}"] for part in _ARRAYS)) for name in _RIDGES))


@dataclass(frozen=True, eq=False)
class Expected:
    """The expectation and what it says of the training entities.

    Attributes:
        expectation: from features to embeddings.
        numbers: vector and bias expected of each, shape (n, k + 1).
        variances: mean square of what they miss of an entity that was left out, shape (k + 1,).
    """

    expectation: Expectation
    numbers: NDArray[np.float64]
    variances: NDArray[np.float64]

    @classmethod
    def of(
        cls, features: Features | None, learned: NDArray[np.float64], counts: NDArray[np.int64], weighting: float
    ) -> Expected:
        """Regress what was ``learned``, vectors beside biases (n, k + 1), on features; on nothing where there are none.

        ``counts`` and ``weighting`` are those of :func:`cfbench_torch.feature_ridge.fit_ridge`.
        """
        vocabulary = Vocabulary(MappingProxyType({})) if features is None else Vocabulary.of(features)
        described = Described.bare(len(learned)) if features is None else Described.of(features, vocabulary)
        vectors = fit_ridge(vocabulary, described, learned[:, :-1], counts, weighting)
        biases = fit_ridge(vocabulary, described, learned[:, -1:], counts, weighting)
        return cls(
            Expectation(vectors.ridge, biases.ridge),
            np.hstack([vectors.ridge.of_described(described), biases.ridge.of_described(described)]),
            np.concatenate([vectors.missed, biases.missed]),
        )
