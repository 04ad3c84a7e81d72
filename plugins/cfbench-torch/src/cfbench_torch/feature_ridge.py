"""Ridge regression of what was learned about entities on their features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model.features import Features
from cfbench.model.vocabulary import Vocabulary
from cfbench_torch.described import Described

PENALTIES = tuple(10.0 ** (step / 2) for step in range(-10, 3))
"""Ridge penalties tried, as shares of the sum of all weights: 1e-5 to 10, half a decade apart."""

_MOST_LEVERAGE = 1 - 1e-9  # an entity that decides its own expectation alone has none without itself


@dataclass(frozen=True, eq=False)
class FeatureRidge:
    """Numbers that features let expect: ``y = mean + (x - centre) coefficients``, x a row of ``Described``.

    Attributes:
        vocabulary: the w indicators, those of the training entities.
        centre: their mean over the training entities, shape (w,).
        mean: what is expected of somebody of whom nothing is said, shape (t,).
        coefficients: shape (w, t).
    """

    vocabulary: Vocabulary
    centre: NDArray[np.float64]
    mean: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def expected(self, features: Features) -> NDArray[np.float64]:
        """Return the numbers expected of each of n entities, shape (n, t)."""
        return self.of_described(Described.of(features, self.vocabulary))

    def of_described(self, described: Described) -> NDArray[np.float64]:
        """Return the numbers expected of entities whose features were looked up in the same vocabulary, (n, t)."""
        numbers = np.empty((len(described), len(self.mean)))
        for place, rows in described.centred(self.centre):
            numbers[place] = self.mean + rows @ self.coefficients
        return numbers


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A ridge regression and how well it does on entities that it has not seen.

    Attributes:
        ridge: the regression on all entities.
        missed: mean square of what the expectation misses of an entity when it is left out, weighted by its ratings,
            shape (t,).
        penalty: the one chosen out of :data:`PENALTIES`.
    """

    ridge: FeatureRidge
    missed: NDArray[np.float64]
    penalty: float


def fit_ridge(
    vocabulary: Vocabulary,
    described: Described,
    numbers: NDArray[np.float64],
    counts: NDArray[np.int64],
    weighting: float,
) -> RidgeFit:
    """Regress ``numbers`` on features, with the penalty that does best by entities left out in turn.

    Minimises ``sum_e w_e |y_e - mean - (x_e - centre) C|² + penalty sum_e w_e |C|²``, ``w_e = n_e^weighting``, the mean
    itself unpenalised. The penalty is the one for which ``sum_e n_e |y_e - ŷ_e without e|²`` is least: what is missed
    of an entity counts as often as it would be asked about. With ``h_e``, the leverage of an entity on its own
    expectation, that is ``(y_e - ŷ_e) / (1 - h_e)``, so nothing is fitted twice. Sources: Hoerl and Kennard 1970,
    "Ridge regression"; Allen 1974, "The relationship between variable selection and data augmentation and a method for
    prediction", both Technometrics.

    Args:
        vocabulary: the indicators that ``described`` is in.
        described: the n training entities.
        numbers: what was learned of them, shape (n, t).
        counts: their numbers of ratings ``n_e``, shape (n,), not all 0.
        weighting: 0: all entities alike; 1: all ratings alike.
    """
    weights = np.where(counts > 0, counts.astype(np.float64) ** weighting, 0.0)
    centre, mean = described.means(weights), weights @ numbers / weights.sum()
    left = numbers - mean  # (n, t)
    gram, cross = _moments(described, centre, weights, left)
    values, vectors = np.linalg.eigh(gram)  # one decomposition V diag(e) V' serves all penalties
    shrinks = 1 / (np.maximum(values, 0) + np.array(PENALTIES)[:, None] * weights.sum())  # (penalties, w)
    solved = [shrink[:, None] * (vectors.T @ cross) for shrink in shrinks]  # coefficients along V, each (w, t)
    missed = np.zeros((len(PENALTIES), numbers.shape[1]))
    for place, rows in described.centred(centre):
        along = rows @ vectors  # (c, w)
        for i, (shrink, coefficients) in enumerate(zip(shrinks, solved, strict=True)):
            leverage = weights[place] * (1 / weights.sum() + along**2 @ shrink)
            error = (left[place] - along @ coefficients) / (1 - np.minimum(leverage, _MOST_LEVERAGE))[:, None]
            missed[i] += counts[place] @ error**2
    best = int(missed.sum(axis=1).argmin())
    ridge = FeatureRidge(vocabulary, centre, mean, vectors @ solved[best])
    return RidgeFit(ridge, missed[best] / counts.sum(), PENALTIES[best])


def _moments(
    described: Described, centre: NDArray[np.float64], weights: NDArray[np.float64], left: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``X'WX``, shape (w, w), and ``X'WY``, shape (w, t), of centred rows X and left-over numbers Y."""
    width = described.found.width
    gram, cross = np.zeros((width, width)), np.zeros((width, left.shape[1]))
    for place, rows in described.centred(centre):
        weighed = rows * weights[place, None]
        gram += weighed.T @ rows
        cross += weighed.T @ left[place]
    return gram, cross
