"""Texts as a numpy array, in which each takes as much room as the longest: one huge field must not take all memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import DataError

_BYTES_PER_CHARACTER = 4
_MOST_BYTES = 4 << 30
_SURELY_FINE = 1_000  # characters of a field, of which 100 million would fit


def texts(values: Sequence[Any] | NDArray[Any], what: str) -> NDArray[np.str_]:
    """Return ``values`` as an array of text, shape (n,); raises DataError where one is so long that it cannot be had.

    ``what`` names a value in the message: ``"an id"``.
    """
    longest = max(map(len, values), default=0)
    if longest > _SURELY_FINE and longest * len(values) * _BYTES_PER_CHARACTER > _MOST_BYTES:
        raise DataError(
            f"{what} has {longest:,} characters, and as many are set aside for each of {len(values):,}; is a quotation "
            "mark open? Else shorten it"
        )
    return np.asarray(values, dtype=np.str_)
