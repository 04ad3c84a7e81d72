"""Codes of users and items: the only place where raw ids and integer codes meet.

*Ids* are the data's (strings), *positions* are rows of a data set's own entity table, *codes* are what
models see. Codes are given in order of first appearance in the training rows, so they are learned
from the training part alone, and whatever is not in it has the code ``n``, one past the end: an index
that raises instead of silently reading the last row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Codes

_CHUNK = 1 << 20  # rows numbered at a time


@dataclass(frozen=True, eq=False)
class Coding:
    """The bijection between training entities and codes ``0 .. n-1``.

    Attributes:
        positions: entity-table position of every code, shape (n,), in order of first appearance.
        code_of: code of every entity-table position, shape (table size,); ``n`` where not in training.
    """

    positions: NDArray[np.int32]
    code_of: NDArray[np.int32]

    @classmethod
    def of(cls, training: NDArray[np.int32], table_size: int) -> Coding:
        """Learn the codes from the ``training`` rows' positions, shape (rows,)."""
        first = np.full(table_size, len(training), dtype=np.int64)
        # Where an index repeats, numpy keeps the last value assigned: backwards, that is the first row.
        for end in range(len(training), 0, -_CHUNK):
            start = max(0, end - _CHUNK)
            first[training[start:end][::-1]] = np.arange(end - 1, start - 1, -1)
        order = np.argsort(first, kind="stable")
        n = int(np.count_nonzero(first < len(training)))
        positions = order[:n].astype(np.int32)
        code_of = np.full(table_size, n, dtype=np.int32)
        code_of[positions] = np.arange(n, dtype=np.int32)
        return cls(positions=positions, code_of=code_of)

    def __len__(self) -> int:
        return len(self.positions)

    def codes(self, positions: NDArray[np.int32]) -> Codes:
        """Translate entity-table positions, shape (m,), to codes; unknown = ``len(self)``."""
        return self.code_of[positions]

    def ids(self, table: NDArray[Any], codes: Codes) -> NDArray[Any]:
        """Translate codes back to the raw ids of ``table``; raises IndexError on the unknown code."""
        return table[self.positions[codes]]
