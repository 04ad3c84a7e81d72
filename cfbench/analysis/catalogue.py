"""The items that a model was fitted to: titles, and what training says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split


@dataclass(frozen=True, eq=False)
class Catalogue:
    """One entry for every training item, by its code.

    Attributes:
        ids: the data's own ids, shape (n,).
        titles: what to call the items, shape (n,), no two the same: the title, with the id where several items share
            one, and the id alone where there is none.
        genres: genres joined by ``|``, shape (n,), ``""`` where unknown.
        counts: training ratings of each item, shape (n,), at least 1.
        sums: their sum in rating units, shape (n,).
        mean: mean of all training ratings.
    """

    ids: NDArray[np.str_]
    titles: NDArray[np.str_]
    genres: NDArray[np.str_]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    mean: float

    @classmethod
    def of(cls, split: Split) -> Catalogue:
        """Look up the training items of ``split``."""
        table, positions, train = split.dataset.items, split.item_coding.positions, split.train
        ids = table.ids[positions]
        nothing = np.full(len(ids), "", dtype=np.str_)
        return cls(
            ids=ids,
            titles=_told_apart(ids, table.columns["title"][positions] if "title" in table.columns else nothing),
            genres=table.columns["genres"][positions] if "genres" in table.columns else nothing,
            counts=train.item_counts,
            sums=np.bincount(train.items, weights=train.ratings, minlength=train.n_items).astype(np.float64),
            mean=train.mean,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean training rating of each item, shape (n,)."""
        return self.sums / self.counts

    @cached_property
    def by_count(self) -> NDArray[np.int64]:
        """Codes from the most to the least rated item, equals by title, shape (n,)."""
        return np.lexsort((self.titles, -self.counts))


def _told_apart(ids: NDArray[np.str_], titles: NDArray[Any]) -> NDArray[np.str_]:
    """Add the id to titles that several items have, and let it stand for a missing one."""
    _, inverse, times = np.unique(titles, return_inverse=True, return_counts=True)
    named = np.where(times[inverse] > 1, np.char.add(np.char.add(titles, " ["), np.char.add(ids, "]")), titles)
    return np.where(titles == "", ids, named)
