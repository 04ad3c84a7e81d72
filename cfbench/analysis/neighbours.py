"""Items like an item, by their factors."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Floats

Likeness: TypeAlias = Literal["cosine", "dot"]


def likeness(vectors: Floats, code: int, by: Likeness) -> NDArray[np.float64]:
    """Return how like item ``code`` every item is, shape (n,).

    ``cosine``: v_i · v_c / (|v_i| |v_c|), in [-1, 1]; NaN where a vector is 0, which has no direction.
    ``dot``: v_i · v_c, which favours long vectors.

    Args:
        vectors: item factors, shape (n, f).
        code: the item asked about.
        by: which of the two.
    """
    wide = vectors.astype(np.float64)
    products: NDArray[np.float64] = wide @ wide[code]
    if by == "dot":
        return products
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(wide[code])
    cosines: NDArray[np.float64] = np.divide(products, lengths, out=np.full(len(wide), np.nan), where=lengths > 0)
    return cosines


def nearest(
    vectors: Floats, code: int, n: int, by: Likeness, among: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ``n`` items most like ``code``, itself apart, and their likeness; both of shape (n or fewer,).

    ``among``, shape (items,), says which items count; those whose likeness is NaN never do.
    """
    values = likeness(vectors, code, by)
    places = np.flatnonzero(among & ~np.isnan(values))
    places = places[places != code]
    best = places[np.argsort(-values[places], kind="stable")][:n]
    return best, values[best]
