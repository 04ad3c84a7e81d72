"""Mean ratings that a few ratings cannot carry to the top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bayesian_averages(
    counts: NDArray[np.int64], sums: NDArray[np.float64], mean: float, weight: float | None = None
) -> NDArray[np.float64]:
    """Return ``(C m + sum of ratings) / (C + number of ratings)`` for every item, shape (n,), in rating units.

    An item starts with C ratings of the mean m and leaves it as its own come in: with C the mean number of ratings
    per item, one has to be rated as often as an average item before its own ratings weigh as much as the prior.

    Args:
        counts: ratings of each item, shape (n,).
        sums: their sum, shape (n,).
        mean: m, the mean of all ratings.
        weight: C; the mean of ``counts`` where omitted.
    """
    prior = float(counts.mean()) if weight is None else weight
    averages: NDArray[np.float64] = (prior * mean + sums) / (prior + counts)
    return averages
