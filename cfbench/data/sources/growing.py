"""Columns that come in parts, without the memory for two copies of them."""

from __future__ import annotations

import mmap
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

_Type = TypeVar("_Type", bound=np.generic)
_GROWTH = 1.25


class Growing(Generic[_Type]):
    """An array to which rows are added.

    Memory that is set aside and not written to is none: systems hand it out at the first write. So it costs nothing to
    expect too many rows.
    """

    def __init__(self, dtype: DTypeLike, expected: int) -> None:
        self._rows: NDArray[Any] = _set_aside(expected, np.dtype(dtype))
        self._filled = 0

    def add(self, part: NDArray[_Type]) -> None:
        """Append ``part``, shape (rows,)."""
        end = self._filled + len(part)
        if end > len(self._rows):
            grown = _set_aside(max(end, int(_GROWTH * len(self._rows))), self._rows.dtype)
            grown[: self._filled] = self._rows[: self._filled]
            self._rows = grown
        self._rows[self._filled : end] = part
        self._filled = end

    def taken(self) -> NDArray[_Type]:
        """Return all rows; there are none here afterwards."""
        rows, self._rows = self._rows[: self._filled], np.empty(0, dtype=self._rows.dtype)
        self._filled = 0
        return rows


def _set_aside(rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that is not written to yet, in small pages.

    numpy asks for huge pages, which the first write must clear whole. In a virtual machine that has not used them
    before, this takes ten times as long as small pages, which are used again and again: as long as parsing does.
    """
    memory = mmap.mmap(-1, max(1, rows * dtype.itemsize), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # Linux alone
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.ndarray(rows, dtype, memory)
