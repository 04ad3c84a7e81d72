"""Holdout: one random split into training and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.splits.splitter import Fold
from cfbench.errors import DataError
from cfbench.model.limits import require_part


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
