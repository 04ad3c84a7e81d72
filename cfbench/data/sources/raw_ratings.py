"""Ratings as they stand in a file: read, not yet validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class IdColumn:
    """A column of ids, each distinct id kept once.

    Attributes:
        labels: the distinct ids as text, shape (m,), in any order; may hold ids that no row uses.
        index: position in ``labels`` of each row's id, shape (n,), int32; -1 where the row has none.
        in_order: whether ``labels`` are known to be in the order in which rows first name them, all of them in use.
    """

    labels: NDArray[np.str_]
    index: NDArray[np.int32]
    in_order: bool = False


@dataclass(frozen=True, eq=False)
class RawRatings:
    """The four columns of a ratings file, in file order.

    Attributes:
        users: user ids.
        items: item ids.
        ratings: rating values, shape (n,), float32; NaN where missing.
        timestamps: seconds since 1970, shape (n,), float64, NaN where missing, or int64 where all are whole and there;
            None without such a column.
        file: the file as messages should name it.
        place: tells where a row stands in the file, e.g. ``"line 12"``; may be slow, for messages only.
        unrepeated: whether it is known that no user rates an item twice.
    """

    users: IdColumn
    items: IdColumn
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.float64] | NDArray[np.int64] | None
    file: str
    place: Callable[[int], str]
    unrepeated: bool = False

    def __len__(self) -> int:
        return len(self.ratings)

    @cached_property
    def extremes(self) -> NDArray[np.float32]:
        """The lowest and the highest rating, shape (2,), of one at least; NaN where one is missing."""
        return np.array([self.ratings.min(), self.ratings.max()])

    def pair_keys(self) -> NDArray[np.int64]:
        """One integer per row, equal exactly where user and item are equal; shape (n,)."""
        return self.users.index.astype(np.int64) * len(self.items.labels) + self.items.index
