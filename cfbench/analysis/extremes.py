"""The lowest and the highest of many values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Floats


def extremes(values: Floats, n: int, among: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the ``n`` lowest values, lowest first, and of the ``n`` highest, highest first.

    Args:
        values: shape (m,), finite.
        n: how many of each; fewer where fewer count.
        among: which places count, shape (m,).

    Equal values are taken in the order of their places.
    """
    places = np.flatnonzero(among)
    lowest = places[np.argsort(values[places], kind="stable")][:n]
    highest = places[np.argsort(-values[places], kind="stable")][:n]
    return lowest, highest
