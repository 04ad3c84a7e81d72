"""Withheld ratings: in neither part of a split, and their items are no candidates for their users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model.arrays import Codes


@dataclass(frozen=True, eq=False)
class Withheld:
    """Pairs of a list and an item that is no candidate for it.

    Attributes:
        places: which list, as an index into the ranked users, shape (w,), int64.
        items: item codes, shape (w,), int32, ``0 .. n_items - 1``.
    """

    places: NDArray[np.int64]
    items: Codes

    @property
    def longest(self) -> int:
        """The most items that are withheld from one list."""
        return int(np.bincount(self.places).max()) if len(self.places) else 0

    def taken_out(self, lists: NDArray[np.int32], k: int, n_items: int) -> NDArray[np.int32]:
        """Return the first ``k`` of what is left of every list, shape (u, k), int32.

        Args:
            lists: item codes, best first, shape (u, k + longest) or more, padded with ``n_items``.
            k: how many items to keep.
            n_items: size of the catalogue, and the code that lists are padded with.
        """
        width = n_items + 1
        keys = np.sort(self.places * width + self.items)
        cells = np.arange(len(lists))[:, np.newaxis] * width + lists
        found = np.append(keys, -1)[np.searchsorted(keys, cells)] == cells
        order = np.argsort(found, axis=1, kind="stable")  # what stays first, in its order
        kept = np.take_along_axis(np.where(found, n_items, lists), order, axis=1)
        return np.ascontiguousarray(kept[:, :k], dtype=np.int32)
