"""The k-core: only users and items with enough ratings among each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.preprocessing.subset import subset
from cfbench.errors import DataError
from cfbench.model.limits import require_whole


@dataclass(frozen=True)
class KCore:
    """Repeated removal of users and items with fewer than k ratings, until every one that is left has k.

    What is left is the largest part of the data in which every user and every item has at least k ratings; it does
    not depend on who is dropped first (Seidman, Network structure and minimum degree, 1983, for graphs). Rows are
    counted: a pair that the data holds twice counts twice.

    Attributes:
        k: ratings that every user and every item must have, at least 1.
    """

    k: int = 5

    def __post_init__(self) -> None:
        require_whole(self, 1, "k")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the k-core; raises DataError where it is empty."""
        users, items = dataset.user_index, dataset.item_index
        rows = np.arange(len(dataset))
        # Every pass counts the ratings that are left, of users and items at once.
        while len(rows):
            enough = (np.bincount(users) >= self.k)[users] & (np.bincount(items) >= self.k)[items]
            if enough.all():
                break
            rows, users, items = rows[enough], users[enough], items[enough]
        if not len(rows):
            raise DataError(
                f"k-core[k={self.k}] of {dataset.name!r} leaves none of its {len(dataset)} ratings; use a smaller k"
            )
        keep = np.zeros(len(dataset), dtype=np.bool_)
        keep[rows] = True
        return subset(dataset, keep)
