"""The kinds of arrays that models see, and how they are kept from being changed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.int32]
"""Integer codes of users or items, ``0 .. n-1`` for those in training, ``n`` for unknown; shape (m,)."""

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Floating point answers of a model; NaN means "I cannot say"."""


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view of ``array``, so that nobody downstream can change shared data."""
    view = array.view()
    view.flags.writeable = False
    return view
