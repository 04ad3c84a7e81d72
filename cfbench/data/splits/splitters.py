"""Splitters: at random (holdouts, folds), by time, as published; ``cold_entities`` holds whole users or items out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Fold, rank_within, times_of
from cfbench.errors import DataError, UnknownNameError
from cfbench.model.limits import require_choice, require_fraction, require_whole
from cfbench.spec import derived_seed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        require_fraction(self, "share")

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
        require_fraction(self, "share")
        require_whole(self, 1, "n_repeats")
        require_whole(self, 0, "random_state")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return ``n_repeats`` folds named ``"1/n"`` to ``"n/n"``; raises DataError where a part would be empty."""
        holdout, folds = Holdout(self.share), []
        for number in range(1, self.n_repeats + 1):
            draw = derived_seed(seed, repeat=number) if self.random_state is None else self.random_state + number - 1
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
        require_fraction(self, "share")
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


@dataclass(frozen=True)
class Temporal:
    """Split of all ratings at one moment: every training row is strictly older than every test row.

    Rows of the moment itself all go to the test. Both parts stay in the data's order; the seed plays no part.

    Attributes:
        share: share of the latest rows that make the test, above 0 and below 1; the number of rows is rounded to the
            nearest, and grows by the rows that share the cut's time. 0.2 where ``after`` is not given either.
        after: the moment in place of a share: an ISO date or time (``2014-01-01``, ``2014-01-01T12:00``; UTC where no
            zone is named), or seconds since 1970.
    """

    share: float | None = None
    after: int | str | None = None

    in_time_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.share is not None and self.after is not None:
            raise ValueError(f"give share or after, not both; got {self.share!r} and {self.after!r}")
        require_fraction(self, "share")
        if self.after is not None:
            seconds_since_1970(self.after)

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:  # noqa: ARG002 - part of the contract
        """Return the one fold, named ``""``; raises DataError without timestamps or where a part would be empty."""
        times = times_of(dataset, "temporal", "use a splitter that needs none, e.g. holdout")
        if not len(times):
            raise DataError(f"temporal: {dataset.name!r} has no ratings; both parts need at least one")
        if self.after is not None:
            cut = seconds_since_1970(self.after)
        else:
            share = 0.2 if self.share is None else self.share
            size = min(max(round(share * len(times)), 1), len(times))
            cut = int(np.partition(times, len(times) - size)[len(times) - size])
        future = times >= cut
        if future.all() or not future.any():
            raise DataError(
                f"temporal: cut at {_readable(cut)}, {dataset.name!r} would have {np.count_nonzero(~future)} training "
                f"and {np.count_nonzero(future)} test rows; both parts need at least one. Its ratings run from "
                f"{_readable(int(times.min()))} to {_readable(int(times.max()))}: cut in between"
            )
        return [Fold("", np.flatnonzero(~future), np.flatnonzero(future))]


def seconds_since_1970(moment: int | str) -> int:
    """Return ``moment``, an ISO date or time or seconds since 1970, as whole seconds, rounded up.

    Raises ValueError for anything else.
    """
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    try:
        read = datetime.fromisoformat(str(moment))
    except ValueError:
        raise ValueError(f"after must be a date such as 2014-01-01 or seconds since 1970, got {moment!r}") from None
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    return math.ceil((aware - _EPOCH).total_seconds())


def _readable(seconds: int) -> str:
    """Return the moment as ISO text, or as seconds where it lies outside the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{seconds} seconds since 1970"


@dataclass(frozen=True)
class Predefined:
    """Folds that the data set brings, rows in their published order; the seed plays no part.

    Attributes:
        only: names of folds (``"u1"``, ``("u1", "u2")``), in the order wanted. None takes the largest family
            of folds, names that differ only by the number at the end: u1 to u5 of MovieLens 100K, not
            ua and ub.
    """

    only: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = (self.only,) if isinstance(self.only, str) else (self.only or ())
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"only must be names of folds such as u1 or [u1,u2], got {self.only!r}")
        if len(set(names)) != len(names):
            raise ValueError(f"only names a fold twice: {', '.join(names)}")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:  # noqa: ARG002 - part of the contract
        """Return the folds under their published names; raises DataError or UnknownNameError with those it has."""
        published = dataset.folds
        if not published:
            raise DataError(
                f"{dataset.name!r} comes without published folds; use another splitter, e.g. holdout or kfold"
            )
        names = (self.only,) if isinstance(self.only, str) else (self.only or largest_family(published))
        for name in names:
            if name not in published:
                raise UnknownNameError.among(f"fold of {dataset.name}", name, published)
        return [Fold(name, published[name].train_rows, published[name].test_rows) for name in names]


def largest_family(names: Iterable[str]) -> tuple[str, ...]:
    """Return the largest group of names that differ only by the number at their end, in order; first on a tie."""
    stems = {name: name.rstrip("0123456789") for name in names}
    largest = [stem for stem, _ in Counter(stems.values()).most_common(1)]
    return tuple(name for name, stem in stems.items() if stem in largest)
