"""Leave-one-out: one rating of every user for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.order import rank_within, times_of
from cfbench.data.splits.splitter import Fold
from cfbench.errors import DataError
from cfbench.model.limits import require_choice


@dataclass(frozen=True)
class LeaveOneOut:
    """Holdout of one rating of every user with at least two; users with one stay in training; rows in the data's order.

    By time, the test is each user's latest rating. That is an order within users only: another user's training
    rows may be later, so for a test of the future use ``temporal``.

    Attributes:
        by: ``"random"`` holds any one of a user's ratings out, ``"time"`` the latest, and a random one of those that
            share the latest time.
    """

    by: Literal["random", "time"] = "random"

    def __post_init__(self) -> None:
        require_choice(self, ("random", "time"), "by")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return the one fold, named ``""``; raises DataError where every user has one rating, or times lack."""
        users = dataset.user_index
        times = times_of(dataset, "leave-one-out[by=time]", "use by=random") if self.by == "time" else None
        counts = np.bincount(users, minlength=len(dataset.users))
        if counts.max(initial=0) < 2:
            raise DataError(
                f"leave-one-out: no user of {dataset.name!r} has two ratings, so nobody would be tested; use holdout"
            )
        rank = rank_within(users, times, np.random.default_rng(seed))
        held_out = (counts[users] > 1) & (rank == counts[users] - 1)
        return [Fold("", np.flatnonzero(~held_out), np.flatnonzero(held_out))]
