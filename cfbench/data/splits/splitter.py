"""The contract of a splitter plugin (group ``cfbench.splitters``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test split: row indices into the data set, in the order in which models see them.

    Rows in none of the parts do not exist for the split, but for ``withheld_rows``.

    Attributes:
        name: ``""`` for a single holdout, else e.g. ``"2/5"`` or ``"u1"``.
        train_rows: rows to learn from, shape (a,), int64.
        test_rows: rows to test on, shape (b,), int64; disjoint from ``train_rows``.
        n_given: how many ratings of each held-out user or item were given back to training, or None where that is
            not what the folds are about. Folds of different ``n_given`` are points of a curve and are never
            averaged with each other.
        withheld_rows: rows in neither part whose items are no candidates for their users, shape (c,), int64; None
            for none. What is not given back at one point of a curve and is at the next: so that lists compete for
            the same places at every point.
    """

    name: str
    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    n_given: int | None = None
    withheld_rows: NDArray[np.int64] | None = None


class Splitter(Protocol):
    """A way to split the rows of a data set: a dataclass whose init fields are its parameters.

    The same data, parameters and seed must give the same rows on any machine.
    """

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return all folds; raises DataError where the data does not suit the splitter."""
        ...


class SplitsInTimeOrder(Protocol):
    """An optional promise of a splitter: in each of its folds every training row is older than every test row.

    A splitter makes it with ``in_time_order: ClassVar[bool] = True``; one without the attribute promises nothing.
    The harness compares the timestamps of both parts and warns where a promise is broken: a model that has seen the
    future of its test rows is flattered.
    """

    in_time_order: ClassVar[bool]
