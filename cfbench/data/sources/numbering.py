"""Columns that come in parts: of numbers, and of ids coded in the order in which rows first name them."""

from __future__ import annotations

import mmap
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from cfbench.data.sources.raw_ratings import IdColumn

_Type = TypeVar("_Type", bound=np.generic)
_GROWTH = 1.25
_FIRST_CELLS = 1 << 16
_RUN = 4  # rows of one id in succession, on average, from which on it pays to look for them


class Growing(Generic[_Type]):
    """An array to which rows are added, without the memory for two copies of it.

    Memory that is set aside and not written to is none: systems hand it out at the first write. So it costs nothing to
    expect too many rows.
    """

    def __init__(self, dtype: DTypeLike, expected: int) -> None:
        self._rows: NDArray[Any] = _reserved(expected, np.dtype(dtype))
        self._filled = 0

    def add(self, part: NDArray[_Type]) -> None:
        """Append ``part``, shape (rows,)."""
        end = self._filled + len(part)
        if end > len(self._rows):
            grown = _reserved(max(end, int(_GROWTH * len(self._rows))), self._rows.dtype)
            grown[: self._filled] = self._rows[: self._filled]
            self._rows = grown
        self._rows[self._filled : end] = part
        self._filled = end

    def taken(self) -> NDArray[_Type]:
        """Return all rows; there are none here afterwards."""
        rows, self._rows = self._rows[: self._filled], np.empty(0, dtype=self._rows.dtype)
        self._filled = 0
        return rows


class Numbering:
    """Codes of the ids of one column, whole numbers.

    Ids below ``cells`` are looked up in a table of as many codes; where one is higher, all ids are kept as they are and
    told apart by hashing at the end, which takes twice the memory and several times as long. ``expected`` is a guess at
    the number of rows.
    """

    def __init__(self, cells: int, expected: int) -> None:
        self._cells = cells
        self._code_of = np.full(_FIRST_CELLS, -1, dtype=np.int32)
        self._ids = np.empty(0, dtype=np.int64)  # in order of first appearance
        self._codes: Growing[np.int32] = Growing(np.int32, expected)
        self._sparse: list[NDArray[np.int64]] = []  # ids of rows, all of them once one is beyond the table

    def add(self, ids: NDArray[np.int64]) -> None:
        """Add the ids of the next rows, shape (rows,), at least one, none below 0."""
        highest = int(ids.max())
        if not self._sparse and highest >= self._cells:
            self._sparse = [self._ids[self._codes.taken()]]
        if self._sparse:
            self._sparse.append(ids)
            return
        if highest >= len(self._code_of):
            table = np.full(min(2 * highest + 1, self._cells), -1, dtype=np.int32)
            table[: len(self._code_of)] = self._code_of[: len(table)]
            self._code_of = table
        changes = ids[1:] != ids[:-1]
        if np.count_nonzero(changes) >= len(ids) // _RUN:
            self._codes.add(self._looked_up(ids))
        else:
            # Most files are sorted by user: an id is looked up once for all the rows that it has in succession.
            starts = np.append(0, np.flatnonzero(changes) + 1)
            self._codes.add(np.repeat(self._looked_up(ids[starts]), np.diff(starts, append=len(ids))))

    def column(self) -> IdColumn:
        """Return the ids of all rows that were added; there are none here afterwards."""
        index, ids = self._codes.taken(), self._ids
        if self._sparse:
            codes, ids = pd.factorize(np.concatenate(self._sparse))
            index, self._sparse = codes.astype(np.int32), []
        return IdColumn(ids.astype(f"<U{len(str(ids.max(initial=0)))}"), index, in_order=True)

    def _looked_up(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the code of each id, shape (rows,); those met for the first time get the next codes."""
        codes = self._code_of.take(ids)
        if codes.min() < 0:
            fresh = pd.unique(ids[codes < 0])
            self._code_of[fresh] = np.arange(len(self._ids), len(self._ids) + len(fresh), dtype=np.int32)
            self._ids = np.append(self._ids, fresh)
            codes = self._code_of.take(ids)
        return codes


def _reserved(rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that is not written to yet, in small pages.

    numpy asks for huge pages, which the first write must clear whole. In a virtual machine that has not used them
    before, this takes ten times as long as small pages, which are used again and again: as long as parsing does.
    """
    memory = mmap.mmap(-1, max(1, rows * dtype.itemsize), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # Linux alone
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.ndarray(rows, dtype, memory)
