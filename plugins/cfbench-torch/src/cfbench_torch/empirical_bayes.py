"""Empirical Bayes for embeddings: a prior regressed on features, and posterior modes given few ratings.

Sources: Gantner et al. 2010, "Learning attribute-to-feature mappings for cold-start recommendations" (ICDM) for
regressing learned factors on attributes; Agarwal and Chen 2009, "Regression-based latent factor models" (KDD) for
using that as the factors' prior.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.model import Features, Matrix, Vector, Vocabulary
from cfbench_torch.design_matrix import DesignMatrix, encoded
from cfbench_torch.link import Link

PENALTIES = tuple(10.0 ** (step / 2) for step in range(-10, 3))
"""Ridge penalties tried, as shares of the sum of all weights: 1e-5 to 10, half a decade apart."""

_MOST_LEVERAGE = 1 - 1e-9  # an entity with leverage 1 determines its own expectation: without it there is none
_STEPS = 4  # Gauss-Newton steps; predictions move by less than .001 from the third on
_SHORTER = 0.5  # of a step that made things worse
_CHUNK = 1 << 20  # numbers of ratings' directions and of equations held at a time (8 MB)


@dataclass(frozen=True, eq=False)
class FeatureRidge:
    """Ridge regression on features: ``y = mean + (x - centre) coefficients``, x a row of the design matrix.

    Attributes:
        vocabulary: the w indicators, those of the training entities.
        centre: their mean over the training entities, shape (w,).
        mean: expectation for an entity without features, shape (t,).
        coefficients: shape (w, t).
        loo_error: mean squared error of an entity's expectation when the entity is left out, weighted by its number of
            ratings, shape (t,).
        penalty: the one chosen out of :data:`PENALTIES`.
    """

    vocabulary: Vocabulary
    centre: Vector[np.float64]
    mean: Vector[np.float64]
    coefficients: Matrix[np.float64]
    loo_error: Vector[np.float64]
    penalty: float

    def expected(self, matrix: DesignMatrix) -> NDArray[np.float64]:
        """Return the expectations of n entities, encoded with the same vocabulary, shape (n, t)."""
        numbers = np.empty((len(matrix), len(self.mean)))
        for place, rows in matrix.centred(self.centre):
            numbers[place] = self.mean + rows @ self.coefficients
        return numbers


def fit_ridge(
    vocabulary: Vocabulary,
    matrix: DesignMatrix,
    numbers: NDArray[np.float64],
    counts: NDArray[np.int64],
    weighting: float,
) -> FeatureRidge:
    """Regress ``numbers`` on features, with the penalty of the least leave-one-out error.

    Minimises ``sum_e w_e |y_e - mean - (x_e - centre) C|² + penalty sum_e w_e |C|²``, ``w_e = n_e^weighting``, the mean
    itself unpenalised. The penalty is the one for which ``sum_e n_e |y_e - ŷ_e without e|²`` is least: the error of an
    entity counts as often as it would be predicted. With ``h_e``, the leverage of an entity on its own
    expectation, that is ``(y_e - ŷ_e) / (1 - h_e)``, so nothing is fitted twice. Sources: Hoerl and Kennard 1970,
    "Ridge regression"; Allen 1974, "The relationship between variable selection and data augmentation and a method for
    prediction", both Technometrics.

    Args:
        vocabulary: the indicators of ``matrix``.
        matrix: the n training entities.
        numbers: what was learned of them, shape (n, t).
        counts: their numbers of ratings ``n_e``, shape (n,), not all 0.
        weighting: 0: all entities alike; 1: all ratings alike.
    """
    weights = np.where(counts > 0, counts.astype(np.float64) ** weighting, 0.0)
    centre, mean = matrix.means(weights), weights @ numbers / weights.sum()
    residuals = numbers - mean  # (n, t)
    gram, cross = np.zeros((matrix.width, matrix.width)), np.zeros((matrix.width, numbers.shape[1]))
    for place, rows in matrix.centred(centre):
        weighted = rows * weights[place, None]
        gram += weighted.T @ rows  # X'WX, (w, w)
        cross += weighted.T @ residuals[place]  # X'WY, (w, t)
    values, vectors = np.linalg.eigh(gram)  # one decomposition V diag(e) V' serves all penalties
    shrinks = 1 / (np.maximum(values, 0) + np.array(PENALTIES)[:, None] * weights.sum())  # (penalties, w)
    solved = [shrink[:, None] * (vectors.T @ cross) for shrink in shrinks]  # coefficients along V, each (w, t)
    squares = np.zeros((len(PENALTIES), numbers.shape[1]))
    for place, rows in matrix.centred(centre):
        along = rows @ vectors  # (c, w)
        for i, (shrink, coefficients) in enumerate(zip(shrinks, solved, strict=True)):
            leverage = weights[place] * (1 / weights.sum() + along**2 @ shrink)
            error = (residuals[place] - along @ coefficients) / (1 - np.minimum(leverage, _MOST_LEVERAGE))[:, None]
            squares[i] += counts[place] @ error**2
    best = int(squares.sum(axis=1).argmin())
    return FeatureRidge(vocabulary, centre, mean, vectors @ solved[best], squares[best] / counts.sum(), PENALTIES[best])


@dataclass(frozen=True, eq=False)
class Prior:
    """Prior of embeddings given features: vector and bias, regressed apart, as features explain them differently.

    Attributes:
        vectors: from features to vectors, k numbers.
        biases: from features to biases, one number, in units of the score.
    """

    vectors: FeatureRidge
    biases: FeatureRidge

    @classmethod
    def of(
        cls, features: Features | None, learned: NDArray[np.float64], counts: NDArray[np.int64], weighting: float
    ) -> tuple[Prior, NDArray[np.float64]]:
        """Regress ``learned``, vectors beside biases (n, k + 1), on features; return the prior and its means of these.

        Without features every mean is the mean embedding. For ``counts`` and ``weighting`` see :func:`fit_ridge`.
        """
        vocabulary, matrix = encoded(features, len(learned))
        parts = (learned[:, :-1], learned[:, -1:])
        prior = cls(*(fit_ridge(vocabulary, matrix, numbers, counts, weighting) for numbers in parts))
        return prior, prior._means(matrix)

    @property
    def variances(self) -> NDArray[np.float64]:
        """Mean squared error of the means for entities that were left out, shape (k + 1,)."""
        return np.concatenate([self.vectors.loo_error, self.biases.loo_error])

    def means(self, features: Features) -> NDArray[np.float64]:
        """Return vectors and biases side by side, shape (n, k + 1)."""
        return self._means(DesignMatrix.of(features, self.vectors.vocabulary))

    def _means(self, matrix: DesignMatrix) -> NDArray[np.float64]:
        return np.hstack([self.vectors.expected(matrix), self.biases.expected(matrix)])


@dataclass(frozen=True, eq=False)
class SideRatings:
    """Ratings seen from one side: those of users with items fixed, or those of items with users fixed.

    The rating of entity e, with embedding ``y_e``, and the other o is ``link(level_o + direction_o · y_e)``.

    Attributes:
        codes: the entity of each rating, shape (r,).
        others: the other's code, shape (r,).
        ratings: shape (r,), in rating units.
        directions: of the others, shape (o, d).
        levels: of the others, shape (o,).
        link: from scores to ratings.
        noise: variance of ratings about their predictions, in squared rating units, above 0.
    """

    codes: NDArray[np.int32]
    others: NDArray[np.int32]
    ratings: NDArray[np.float32]
    directions: NDArray[np.float64]
    levels: NDArray[np.float64]
    link: Link
    noise: float

    def posterior_modes(
        self, means: NDArray[np.float64], variances: NDArray[np.float64], at_most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the entities with 1 to ``at_most`` ratings, (m,), and their most probable embeddings, (m, d).

        These minimise ``sum over ratings of (r - prediction)² / noise + sum_j (y_j - mean_j)² / variance_j``: ridge
        regression towards the prior's mean, by Gauss-Newton as links are curved.

        Args:
            means: of the prior, for all n entities, shape (n, d).
            variances: of the prior, shape (d,), above 0.
            at_most: entities with more ratings are left out.
        """
        counts = np.bincount(self.codes, minlength=len(means))
        few = np.flatnonzero((counts > 0) & (counts <= at_most))
        few = few[np.argsort(counts[few], kind="stable")]  # chunks of about equal length have little padding
        modes = np.empty((len(few), means.shape[1]))
        for place, ratings, present, others in self._chunks(few, counts):
            problem = _Problem(
                directions=torch.from_numpy(self.directions[others]),
                levels=torch.from_numpy(self.levels[others]),
                ratings=torch.from_numpy(ratings),
                present=torch.from_numpy(present),
                link=self.link,
                noise=self.noise,
                means=torch.from_numpy(means[few[place]]),
                variances=torch.from_numpy(variances),
            )
            modes[place] = problem.mode().numpy()
        return few, modes

    def _chunks(
        self, few: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]]:
        """Yield chunks of ``few``, their ratings padded to the longest, which are present (1 or 0), and the others."""
        order, starts = np.argsort(self.codes, kind="stable"), np.cumsum(counts) - counts
        longest = int(counts[few].max(initial=1))
        size = max(1, _CHUNK // (longest * (longest + self.directions.shape[1])))
        for first in range(0, len(few), size):
            place = slice(first, min(first + size, len(few)))
            turn = np.arange(counts[few[place]].max())
            present = turn < counts[few[place], None]  # (c, l)
            rows = order[np.where(present, starts[few[place], None] + turn, 0)]
            yield place, self.ratings[rows].astype(np.float64), present.astype(np.float64), self.others[rows]


@dataclass(frozen=True, eq=False)
class _Problem:
    """Posterior of c entities with up to l ratings each.

    ``directions`` has shape (c, l, d); ``levels``, ``ratings`` and ``present`` (1 or 0) (c, l); ``means`` (c, d).
    """

    directions: torch.Tensor
    levels: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    link: Link
    noise: float
    means: torch.Tensor
    variances: torch.Tensor

    def mode(self) -> torch.Tensor:
        """Minimise the loss from the prior's means on; a step that would raise a loss is tried again shorter."""
        numbers, length = self.means, torch.ones(len(self.means), dtype=torch.float64)
        loss = self._loss(numbers)
        for _ in range(_STEPS):
            tried = torch.lerp(numbers, self._solved(numbers), length[:, None])
            loss_there = self._loss(tried)
            better = loss_there <= loss
            numbers, loss = torch.where(better[:, None], tried, numbers), torch.where(better, loss_there, loss)
            length = torch.where(better, 1.0, length * _SHORTER)
        return numbers

    def _predicted(self, numbers: torch.Tensor) -> torch.Tensor:
        """Predict ratings, (c, d) -> (c, l)."""
        return self.link.rating(self.levels + (self.directions @ numbers[:, :, None]).squeeze(2))

    def _loss(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the loss of each entity, shape (c,)."""
        errors = self.present * (self._predicted(numbers) - self.ratings).square()
        return errors.sum(1) / self.noise + ((numbers - self.means).square() / self.variances).sum(1)

    def _solved(self, numbers: torch.Tensor) -> torch.Tensor:
        """Solve the problem with predictions linearised at ``numbers``; return the solutions, shape (c, d).

        With J the derivatives of predictions and V the variances it is ``mean + V J' (J V J' + noise)^-1 z``, z the
        errors of the linearised predictions at the mean: as many equations as there are ratings, which are few.
        """
        predicted = self._predicted(numbers)
        slope = self.present * self.link.slope(predicted)
        jacobian = self.directions * slope[:, :, None]  # (c, l, d)
        errors = (self.present * (self.ratings - predicted))[:, :, None]
        errors = errors + jacobian @ (numbers - self.means)[:, :, None]  # (c, l, 1)
        spread = jacobian * self.variances  # (c, l, d)
        covariance = spread @ jacobian.transpose(1, 2)  # (c, l, l)
        covariance.diagonal(dim1=1, dim2=2).add_(self.noise)
        solved = torch.cholesky_solve(errors, torch.linalg.cholesky(covariance))
        return self.means + (spread.transpose(1, 2) @ solved).squeeze(2)
