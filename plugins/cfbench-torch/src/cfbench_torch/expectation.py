"""What is expected of the embedding of a user or item before any rating of theirs is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.features import Features
from cfbench.saving import Fact
from cfbench.vocabulary import Vocabulary
from cfbench_torch.described import Described
from cfbench_torch.feature_ridge import FeatureRidge, fit_ridge
from cfbench_torch.saved_vocabulary import vocabulary_of_parts, vocabulary_parts

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

    def parts(self) -> tuple[dict[str, NDArray[Any]], dict[str, Fact]]:
        """Describe it as arrays and facts, for a saved model."""
        arrays, facts = vocabulary_parts(self.biases.vocabulary)
        arrays |= {f"{name}_{part}": getattr(getattr(self, name), part) for name in _RIDGES for part in _ARRAYS}
        return arrays, facts

    @classmethod
    def of_parts(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Expectation:
        """Return what :meth:`parts` described."""
        vocabulary = vocabulary_of_parts(arrays, facts)
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
