"""Ratings grouped by user, or by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes


@dataclass(frozen=True, eq=False)
class Grouped:
    """The rows of each entity of one side, in CSR form.

    Attributes:
        starts: entity ``e`` has ``order[starts[e]:starts[e + 1]]``, shape (n + 1,).
        order: rows of the training ratings, those of entity 0 first, shape (m,).
    """

    starts: NDArray[np.int64]
    order: NDArray[np.intp]

    @classmethod
    def by(cls, codes: Codes, n: int) -> Grouped:
        """Group the rows whose entities, out of ``n``, are ``codes``, shape (m,)."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n))])
        return cls(starts, np.argsort(codes, kind="stable"))

    def batches(
        self, cells: int, entity_cells: int = 1
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
        """Yield entities of about equally many rows together, as tables of at most ``cells`` cells (or one entity).

        An entity counts as ``entity_cells`` cells at least, whatever few rows it has. Each batch is the entities, shape
        (b,), their rows, shape (b, w), and where those are real, likewise: an entity of fewer than ``w`` rows is padded
        with the first of all rows.
        """
        counts = np.diff(self.starts)
        by_count = np.argsort(counts, kind="stable")[::-1]
        start = 0
        while start < len(by_count):
            width = int(counts[by_count[start]])
            entities = by_count[start : start + max(1, cells // max(width, entity_cells))]
            entities = entities[counts[entities] * 2 >= width]  # the padding is less than what is padded
            places = np.arange(width)
            real = places < counts[entities, None]
            yield entities, self.order[np.where(real, self.starts[entities, None] + places, 0)], real
            start += len(entities)
