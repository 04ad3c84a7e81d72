"""The contract of a splitter plugin (group ``cfbench.splitters``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cfbench.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test division: row indices into the data set, in the order in which models see them.

    Attributes:
        name: ``""`` for a single holdout, else e.g. ``"2/5"`` or ``"u1"``.
        train_rows: rows to learn from, shape (a,), int64.
        test_rows: rows to be asked about, shape (b,), int64; disjoint from ``train_rows``.
    """

    name: str
    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]


class Splitter(Protocol):
    """Divides the rows of a data set. A dataclass whose init fields are its parameters.

    The same data, parameters and seed must give the same rows on any machine.
    """

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return all folds; raises DataError where the data does not suit the splitter."""
        ...
