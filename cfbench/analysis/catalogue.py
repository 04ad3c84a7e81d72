"""Catalogue of the items that a model was fitted to: titles, genres, and training ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.title_index import TitleIndex
from cfbench.data.splits.split import Split


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The training items, by code.

    Attributes:
        ids: the data's own ids, shape (n,).
        titles: names of the items, shape (n,), no two the same: the title, with the id where several items share
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
        """Return the catalogue of the training items of ``split``."""
        table, positions, train = split.dataset.items, split.item_coding.positions, split.train
        ids = table.ids[positions]
        unknown = np.full(len(ids), "", dtype=np.str_)
        titles = table.columns["title"][positions] if "title" in table.columns else unknown
        _, inverse, times = np.unique(titles, return_inverse=True, return_counts=True)
        with_ids = np.char.add(np.char.add(titles, " ["), np.char.add(ids, "]"))
        return cls(
            ids=ids,
            titles=np.where(titles == "", ids, np.where(times[inverse] > 1, with_ids, titles)),
            genres=table.columns["genres"][positions] if "genres" in table.columns else unknown,
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

    @cached_property
    def title_index(self) -> TitleIndex:
        """Search by title or id."""
        return TitleIndex(self.titles, self.ids)

    def bayesian_averages(self, weight: float | None = None) -> NDArray[np.float64]:
        """Return ``(C m + sum of ratings) / (C + number of ratings)`` for every item, shape (n,), in rating units.

        An item starts with C ratings of the mean m of all ratings and leaves it as its own come in: with C the mean
        number of ratings per item, it has to be rated as often as an average item before its own ratings weigh as much
        as the prior.

        Args:
            weight: C; the mean of ``counts`` where omitted.
        """
        prior = float(self.counts.mean()) if weight is None else weight
        averages: NDArray[np.float64] = (prior * self.mean + self.sums) / (prior + self.counts)
        return averages

    def columns(self, codes: NDArray[Any], values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return a table of items: title, the columns ``values``, number and mean of their training ratings."""
        ratings = {"ratings": self.counts[codes], "mean rating": self.means[codes]}
        return {"title": self.titles[codes], **values, **ratings}
