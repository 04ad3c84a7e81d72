"""Per-user holdout: a random share of every user's ratings for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.order import rank_within
from cfbench.data.splits.splitter import Fold
from cfbench.errors import DataError
from cfbench.model.limits import require_part, require_whole


@dataclass(frozen=True)
class PerUserHoldout:
    """Random holdout of the same share of every user's ratings; both parts stay in the data's order.

    A user of n ratings gives share x n of them to the test, rounded to the nearest whole number, halves up, but at
    least one and at most n - 1: no test user is unknown. Items may turn up in the test alone.

    Attributes:
        share: share of each user's ratings, above 0 and below 1.
        minimum: users with fewer ratings than this stay in training whole; at least 2.
    """

    share: float = 0.2
    minimum: int = 5

    def __post_init__(self) -> None:
        require_part(self, "share")
        require_whole(self, 2, "minimum")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return the one fold, named ``""``; raises DataError where no user has ``minimum`` ratings."""
        counts = np.bincount(dataset.user_index, minlength=len(dataset.users))
        if not (counts >= self.minimum).any():
            raise DataError(
                f"per-user-holdout[minimum={self.minimum}]: the most active user of {dataset.name!r} has "
                f"{counts.max(initial=0)} ratings, so nobody would be tested; use a lower minimum or holdout"
            )
        wanted = np.clip(np.floor(self.share * counts + 0.5).astype(np.int64), 1, counts - 1)
        wanted[counts < self.minimum] = 0
        rank = rank_within(dataset.user_index, None, np.random.default_rng(seed))
        held_out = rank < wanted[dataset.user_index]
        return [Fold("", np.flatnonzero(~held_out), np.flatnonzero(held_out))]
