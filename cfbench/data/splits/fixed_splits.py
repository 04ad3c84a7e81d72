"""Fixed splits, in which chance plays no part: at a moment in time, or as published together with the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Fold, times_of
from cfbench.errors import DataError, UnknownNameError
from cfbench.model.limits import require_part

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEFAULT_SHARE = 0.2


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
        require_part(self, "share")
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
            share = _DEFAULT_SHARE if self.share is None else self.share
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
