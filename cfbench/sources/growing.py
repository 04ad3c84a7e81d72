"""Columns that come in parts, without the memory for two copies of them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

_Type = TypeVar("_Type", bound=np.generic)
_GROWTH = 1.25


class Growing(Generic[_Type]):
    """An array to which rows are added.

    Memory that is set aside and not written to is none: systems hand it out at the first write. So it costs nothing to
    expect too many rows, and to give back what they would have taken is no copy.
    """

    def __init__(self, dtype: DTypeLike, expected: int) -> None:
        self._rows: NDArray[Any] = np.empty(expected, dtype=dtype)
        self._filled = 0

    def add(self, part: NDArray[_Type]) -> None:
        """Append ``part``, shape (rows,)."""
        end = self._filled + len(part)
        if end > len(self._rows):
            self._rows.resize(max(end, int(_GROWTH * len(self._rows))), refcheck=False)
        self._rows[self._filled : end] = part
        self._filled = end

    def taken(self) -> NDArray[_Type]:
        """Return all rows; there are none here afterwards."""
        rows, self._rows = self._rows, np.empty(0, dtype=self._rows.dtype)
        rows.resize(self._filled, refcheck=False)
        self._filled = 0
        return rows
