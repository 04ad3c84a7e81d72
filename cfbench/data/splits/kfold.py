"""K-fold cross-validation: every row is tested exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.splitter import Fold
from cfbench.errors import DataError
from cfbench.model.limits import require_whole


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
