"""Ids that are whole numbers, numbered in the order in which rows first name them, part of a file after part."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfbench.data.sources.growing import Growing
from cfbench.data.sources.raw_ratings import IdColumn

_FIRST_CELLS = 1 << 16
_RUN = 4  # rows of one id in succession, on average, from which on it pays to look for them


class Numbering:
    """Codes of the ids of one column.

    Ids below ``cells`` are looked up in a table of as many codes; where one is higher, all ids are kept as they are and
    told apart by hashing at the end, which takes twice the memory and several times as long. ``expected`` is a guess at
    the number of rows.
    """

    def __init__(self, cells: int, expected: int) -> None:
        self._cells = cells
        self._code_of = np.full(_FIRST_CELLS, -1, dtype=np.int32)
        self._ids = [np.empty(0, dtype=np.int64)]  # in order of first appearance, in pieces
        self._known = 0
        self._codes: Growing[np.int32] = Growing(np.int32, expected)
        self._sparse: list[NDArray[np.int64]] = []  # ids of rows, all of them once one is beyond the table

    def add(self, ids: NDArray[np.int64]) -> None:
        """Take the ids of the next rows, shape (rows,), at least one, none below 0."""
        highest = int(ids.max())
        if not self._sparse and highest >= self._cells:
            self._sparse = [np.concatenate(self._ids)[self._codes.taken()]]
        if self._sparse:
            self._sparse.append(ids)
            return
        if highest >= len(self._code_of):
            self._grow(highest)
        self._codes.add(self._coded(ids))

    def column(self) -> IdColumn:
        """Return the ids of all rows that were added; there are none here afterwards."""
        if not self._sparse:
            return _column(np.concatenate(self._ids), self._codes.taken())
        codes, distinct = pd.factorize(np.concatenate(self._sparse))
        self._sparse = []
        return _column(distinct, codes.astype(np.int32))

    def _coded(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        changes = ids[1:] != ids[:-1]
        if np.count_nonzero(changes) >= len(ids) // _RUN:
            return self._looked_up(ids)
        starts = np.append(0, np.flatnonzero(changes) + 1)
        # Most files are sorted by user: an id is looked up once for all the rows that it has in succession.
        return np.repeat(self._looked_up(ids[starts]), np.diff(starts, append=len(ids)))

    def _looked_up(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        codes = self._code_of.take(ids)
        if codes.min() < 0:
            self._name(pd.unique(ids[codes < 0]))
            codes = self._code_of.take(ids)
        return codes

    def _grow(self, highest: int) -> None:
        grown = np.full(min(2 * highest + 1, self._cells), -1, dtype=np.int32)
        kept = min(len(grown), len(self._code_of))  # what lies beyond the most cells was never used
        grown[:kept] = self._code_of[:kept]
        self._code_of = grown

    def _name(self, fresh: NDArray[np.int64]) -> None:
        self._code_of[fresh] = np.arange(self._known, self._known + len(fresh), dtype=np.int32)
        self._known += len(fresh)
        self._ids.append(fresh)


def _column(ids: NDArray[np.int64], rows: NDArray[np.int32]) -> IdColumn:
    widest = len(str(ids.max(initial=0)))
    return IdColumn(ids.astype(f"<U{widest}"), rows, in_order=True)
