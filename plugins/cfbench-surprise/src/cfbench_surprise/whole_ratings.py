"""Ratings as whole numbers, for the two algorithms of the library that hold ratings in C integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_UNITS = (1, 2, 4, 5, 10, 100)
_FINEST = 1000


def whole_ratings(ratings: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Express ratings, shape (n,), in a unit in which they are whole; return them and the units per rating point.

    Surprise's SlopeOne and CoClustering cut 3.5 down to 3 without a word. Both are equivariant (ratings times
    c give predictions times c), so they are run on half or tenth stars instead, and what they learn is divided by
    ``units`` again. Ratings on no such grid are rounded to a thousandth.
    """
    for units in _UNITS:
        scaled = ratings.astype(np.float64) * units
        whole = np.rint(scaled)
        if np.abs(scaled - whole).max() < 1e-4:
            return whole, float(units)
    return np.rint(ratings.astype(np.float64) * _FINEST), float(_FINEST)
