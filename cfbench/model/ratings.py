"""Training ratings by integer codes, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cfbench.model.arrays import Codes, Floats, frozen
from cfbench.model.features import Features

__all__ = ["Codes", "Floats", "RatingScale", "Ratings", "frozen"]


@dataclass(frozen=True)
class RatingScale:
    """Closed interval of ratings that a data set declares, e.g. 1 to 5."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a rating scale needs low < high, got {self.low} and {self.high}")

    @property
    def width(self) -> float:
        """``high - low`` in rating units."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, eq=False)
class Ratings:
    """The training part of one split, as a model receives it.

    Attributes:
        users: user codes, shape (n,), int32, ``0 .. n_users-1``, read-only.
        items: item codes, shape (n,), int32, ``0 .. n_items-1``, read-only.
        ratings: rating values in the data's own units, shape (n,), float32, read-only.
        timestamps: seconds since 1970, shape (n,), int64, or None where the data has no times.
        n_users: number of distinct training users; ``n_users`` itself is the code of any unknown user.
        n_items: number of distinct training items; ``n_items`` itself is the code of any unknown item.
        scale: the declared rating scale of the data set.
        user_features: side information of the training users in the order of their codes, n_users rows, or None
            where the data has none.
        item_features: side information of the training items likewise, n_items rows.
    """

    users: Codes
    items: Codes
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64] | None
    n_users: int
    n_items: int
    scale: RatingScale
    user_features: Features | None = None
    item_features: Features | None = None

    def __post_init__(self) -> None:
        columns = (self.users, self.items, self.ratings)
        if any(column.ndim != 1 or len(column) != len(self.ratings) for column in columns):
            raise ValueError(f"columns must be 1-d and equally long, got {[c.shape for c in columns]}")
        _check_rows(self.user_features, self.n_users, "users")
        _check_rows(self.item_features, self.n_items, "items")
        for name in ("users", "items", "ratings", "timestamps"):
            if (column := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen(column))

    def __len__(self) -> int:
        return len(self.ratings)

    @cached_property
    def mean(self) -> float:
        """Arithmetic mean of all training ratings, in rating units."""
        return float(np.mean(self.ratings, dtype=np.float64))

    @cached_property
    def user_counts(self) -> NDArray[np.int64]:
        """Number of training ratings of each user, shape (n_users,)."""
        return np.bincount(self.users, minlength=self.n_users)

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """Number of training ratings of each item, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)


def _check_rows(features: Features | None, n: int, entities: str) -> None:
    if features is not None and len(features) != n:
        raise ValueError(f"features of {len(features)} {entities} for {n} training {entities}; give a row per code")
