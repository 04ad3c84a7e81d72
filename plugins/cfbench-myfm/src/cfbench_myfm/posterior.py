"""One side's samples out of the posterior of a factorisation machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cfbench.model import Features, Matrix, Vector, Vocabulary
from cfbench_myfm.side import Side, described


@dataclass(frozen=True, eq=False)
class Weights:
    """The part of one sample that belongs to a side.

    Attributes:
        linear: ``w``, one for each column of the side, shape (width,).
        factors: ``V``, likewise, shape (width, k).
        expected_linear: mean of the prior of an entity's own ``w``.
        expected_factors: mean of the prior of an entity's own row of ``V``, shape (k,).
    """

    linear: NDArray[np.float64]
    factors: NDArray[np.float64]
    expected_linear: float
    expected_factors: NDArray[np.float64]


def summed(
    matrix: csr_array, linear: NDArray[np.float64], factors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return vector and bias of each row ``x`` of ``matrix``, shapes (n, k) and (n,).

    A factorisation machine adds up ``w . x`` and ``V_a . V_b x_a x_b`` over all pairs of columns a, b. Over the
    columns of one side that depends on the entity alone, its bias ``c_e``; over columns of both sides it is a product
    of sums, the vectors ``s_e``::

        s_e = sum of x_a V_a          c_e = w . x + (|s_e|^2 - sum of x_a^2 |V_a|^2) / 2
    """
    vectors = matrix @ factors
    squares = matrix.multiply(matrix) @ (factors**2).sum(axis=1)
    return vectors, matrix @ linear + ((vectors**2).sum(axis=1) - squares) / 2


@dataclass(eq=False)
class Posterior:
    """Vectors and biases of every entity of a side in each kept sample.

    Attributes:
        vectors: ``s_e`` sample by sample, over the root of their number, so that a product over all is a mean over
            samples; shape (n + 1, samples, k), float32. The last row is that of an entity of which nothing is known:
            what its prior lets expect.
        biases: ``c_e``, averaged over samples, shape (n + 1,), float64; the last as above.
        side_linear: ``w`` of side information, shape (samples, width of the vocabulary), float32.
        side_factors: ``V`` of side information, shape (samples, width of the vocabulary, k), float32.
        vocabulary: the columns of side information, or None.
    """

    vectors: np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
    biases: Vector[np.float64]
    side_linear: Matrix[np.float32]
    side_factors: np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
    vocabulary: Vocabulary | None

    @property
    def n(self) -> int:
        """Number of training entities."""
        return len(self.biases) - 1

    @property
    def samples(self) -> int:
        """Number of kept samples."""
        return len(self.side_linear)

    @classmethod
    def empty(cls, side: Side, samples: int, k: int) -> Posterior:
        """Make room for ``samples`` samples with ``k`` factors."""
        n, known = side.matrix.shape[0], 0 if side.vocabulary is None else len(side.vocabulary)
        return cls(
            vectors=np.zeros((n + 1, samples, k), dtype=np.float32),
            biases=np.zeros(n + 1),
            side_linear=np.zeros((samples, known), dtype=np.float32),
            side_factors=np.zeros((samples, known, k), dtype=np.float32),
            vocabulary=side.vocabulary,
        )

    def keep(self, sample: int, side: Side, weights: Weights) -> None:
        """Take note of a sample, by its number."""
        vectors, biases = summed(side.matrix, weights.linear, weights.factors)
        self.vectors[:-1, sample] = vectors / np.sqrt(self.samples)
        self.vectors[-1, sample] = weights.expected_factors / np.sqrt(self.samples)
        self.biases += np.append(biases, weights.expected_linear) / self.samples
        first = len(weights.linear) - self.side_linear.shape[1]
        self.side_linear[sample], self.side_factors[sample] = weights.linear[first:], weights.factors[first:]

    def extended(self, cold_entities: Features | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return vectors, samples side by side, and biases, with rows for ``cold_entities`` before that of the unknown.

        Of the own column of a cold-start entity the prior's mean is taken, of its side information what was learned; it
        has no history. Since no column is multiplied by itself, that is what the sample expects of it.
        """
        vectors, biases = self.vectors, self.biases
        if cold_entities is not None:
            added_vectors, added_biases = self._of(cold_entities)
            vectors = np.concatenate([vectors[:-1], added_vectors.astype(np.float32), vectors[-1:]])
            biases = np.concatenate([biases[:-1], added_biases, biases[-1:]])
        return vectors.reshape(len(vectors), -1), biases

    def _of(self, cold_entities: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scaled vectors, shape (n', samples, k), and biases of cold-start entities."""
        own = np.sqrt(self.samples) * self.vectors[-1].astype(np.float64)  # (samples, k), as sampled
        vectors = np.tile(own, (len(cold_entities), 1, 1))
        biases = np.full(len(cold_entities), self.biases[-1])
        if self.vocabulary is not None:
            matrix = described(cold_entities, self.vocabulary)
            for sample, (linear, factors) in enumerate(zip(self.side_linear, self.side_factors, strict=True)):
                shown, bias = summed(matrix, linear.astype(np.float64), factors.astype(np.float64))
                vectors[:, sample] += shown
                biases += (bias + shown @ own[sample]) / self.samples
        return vectors / np.sqrt(self.samples), biases
