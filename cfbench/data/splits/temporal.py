"""Temporal split: the past for training, the future for the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.splitter import Fold, times_of
from cfbench.errors import DataError
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
