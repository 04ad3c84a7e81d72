"""Means of ratings by user or by item, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes


def group_means(codes: Codes, ratings: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Mean of ``ratings`` for each of the codes ``0 .. n-1`` and for the unknown code ``n``.

    ``codes`` and ``ratings`` have shape (m,). Returns shape (n + 1,), in rating units; NaN where a code has no
    rating, which the unknown code never has.
    """
    sums = np.bincount(codes, weights=ratings, minlength=n + 1)
    counts = np.bincount(codes, minlength=n + 1)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(n + 1, np.nan), where=counts > 0)
    return means
