"""Arrays of codes and ratings that models see."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.int32]
"""Integer codes of users or items, ``0 .. n-1`` for those in training, ``n`` for unknown; shape (m,)."""

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Floating point predictions or scores of a model; NaN where it has none."""

Scalar = TypeVar("Scalar", bound=np.generic)
Vector: TypeAlias = np.ndarray[tuple[int], np.dtype[Scalar]]
Matrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[Scalar]]
"""Arrays of one and two axes, ``Matrix[np.float32]``: the types of saved state, which loading checks."""

_CELLS = 1 << 22  # numbers of a side's factors gathered at a time: at most 32 MiB


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view of ``array``, as models and metrics share the data."""
    view = array.view()
    view.flags.writeable = False
    return view


def pair_products(user_factors: Floats, item_factors: Floats, users: Codes, items: Codes) -> Floats:
    """Return ``p_u . q_i`` for pairs of codes, shape (m,), in the precision of the factors, shapes (rows, k).

    Rows are gathered a chunk of pairs at a time, as a copy for all pairs of a test part would fill the memory.
    """
    chunk = max(1, _CELLS // max(1, user_factors.shape[1]))
    parts = [slice(start, start + chunk) for start in range(0, max(1, len(users)), chunk)]
    return np.concatenate(
        [np.einsum("mk,mk->m", user_factors[users[part]], item_factors[items[part]]) for part in parts]
    )
