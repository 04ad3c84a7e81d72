"""Random splits: holdouts of ratings, of a part of every user's ratings, or of one of them; k folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Fold, rank_within, times_of
from cfbench.errors import DataError
from cfbench.model.limits import require_choice, require_part, require_whole
from cfbench.spec import derived_seed


@dataclass(frozen=True)
class Holdout:
    """Random holdout of a share of all ratings; both parts stay in the data's order.

    Every rating has the same chance, so users and items may turn up in the test alone: they are the cold
    ones.

    Attributes:
        share: share of test rows, above 0 and below 1; the number of rows is rounded to the nearest.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        require_part(self, "share")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return the one fold, named ``""``; raises DataError where a part would be empty."""
        n = len(dataset)
        size = round(self.share * n)
        if not 0 < size < n:
            raise DataError(
                f"holdout[share={self.share}] of {dataset.name!r} would hold {size} of {n} rows out; "
                "both parts need at least one: use more data or another share"
            )
        held_out = np.zeros(n, dtype=np.bool_)
        held_out[np.random.default_rng(seed).permutation(n)[:size]] = True
        return [Fold("", np.flatnonzero(~held_out), np.flatnonzero(held_out))]


@dataclass(frozen=True)
class RepeatedHoldout:
    """Independent random holdouts of a share of all ratings, ``n_repeats`` times (Monte Carlo cross-validation).

    What is published as "a random 80/20 split" depends on the draw; a mean over several tells how much. Unlike the
    parts of ``kfold``, tests overlap. Source: Picard and Cook 1984, "Cross-validation of regression models".

    Attributes:
        share: share of test rows of each draw, above 0 and below 1.
        n_repeats: number of draws, at least 1.
        random_state: None: draws follow the run's seed. A number fixes them: draw ``j`` is that of ``holdout`` with the
            seed ``random_state + j - 1``, so that figures which were published for splits can be run on them again.
    """

    share: float = 0.2
    n_repeats: int = 3
    random_state: int | None = None

    def __post_init__(self) -> None:
        require_part(self, "share")
        require_whole(self, 1, "n_repeats")
        require_whole(self, 0, "random_state")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return ``n_repeats`` folds named ``"1/n"`` to ``"n/n"``; raises DataError where a part would be empty."""
        holdout, folds = Holdout(self.share), []
        for number in range(1, self.n_repeats + 1):
            fixed = self.random_state
            draw = derived_seed(seed, repeat=number) if fixed is None else fixed + number - 1
            folds += [replace(fold, name=f"{number}/{self.n_repeats}") for fold in holdout.folds(dataset, draw)]
        return folds


@dataclass(frozen=True)
class KFold:
    """Random partition of all ratings into ``k`` parts, each the test of one fold; rows stay in the data's order.

    Part sizes differ by at most one row.

    Attributes:
        k: number of folds, at least 2.
    """

    k: int = 5

    def __post_init__(self) -> None:
        require_whole(self, 2, "k")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return ``k`` folds named ``"1/k"`` to ``"k/k"``; raises DataError on fewer than ``k`` rows."""
        n = len(dataset)
        if n < self.k:
            raise DataError(f"kfold[k={self.k}] of {dataset.name!r} needs at least {self.k} rows, got {n}")
        part = np.empty(n, dtype=np.int64)
        part[np.random.default_rng(seed).permutation(n)] = np.arange(n) % self.k
        return [
            Fold(f"{number + 1}/{self.k}", np.flatnonzero(part != number), np.flatnonzero(part == number))
            for number in range(self.k)
        ]


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
