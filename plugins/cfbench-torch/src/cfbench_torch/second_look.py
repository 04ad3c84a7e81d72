"""A second look at users and items with few ratings, once it is known what to expect of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Ratings
from cfbench_torch.expectation import Expected
from cfbench_torch.factors import Factors
from cfbench_torch.few_ratings import ModelOutput
from cfbench_torch.machine import Machine
from cfbench_torch.sides import sides_of, with_sides

_LEAST_NOISE = 1e-3  # squared rating units; ratings that are fitted exactly are not known exactly
_LEAST_VARIANCE = 1e-9  # squared units of the score


def looked_again(
    factors: Factors,
    train: Ratings,
    expected: tuple[Expected, Expected],
    *,
    machine: Machine,
    at_most: int,
    vector_spread: float,
) -> Factors:
    """Return ``factors`` with the most probable embeddings of users and items with 1 to ``at_most`` ratings.

    Each side takes the other's embeddings as they were learned. The noise of ratings is the mean squared error of
    training, the prior that of ``expected`` (users, items), its variances of vectors times ``vector_spread``.
    """
    users, items = sides_of(factors)
    errors = factors.predict(train.users, train.items, machine).astype(np.float64) - train.ratings
    noise = max(float(np.mean(errors**2)), _LEAST_NOISE)
    spread = np.append(np.full(factors.n_factors, vector_spread), 1.0)
    found = []
    for codes, own, others, other, known in (
        (train.users, users, train.items, items, expected[0]),
        (train.items, items, train.users, users, expected[1]),
    ):
        answers = ModelOutput(
            codes=codes,
            others=others,
            ratings=train.ratings,
            directions=np.hstack([other[:, :-1], np.ones((len(other), 1))]),
            levels=other[:, -1] + (factors.offset or 0.0),
            link=factors.link,
            noise=noise,
        )
        variances = np.maximum(known.variances * spread, _LEAST_VARIANCE)
        found.append(_with(own, *answers.reconsidered(known.numbers, variances, at_most)))
    return with_sides(factors, (found[0], found[1]), machine)


def _with(
    numbers: NDArray[np.float64], entities: NDArray[np.int64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a copy of ``numbers`` with those of ``entities`` replaced."""
    replaced = numbers.copy()
    replaced[entities] = others
    return replaced
