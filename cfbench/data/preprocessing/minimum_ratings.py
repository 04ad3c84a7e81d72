"""Users and items with too few ratings left out, once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.preprocessing.subset import subset
from cfbench.errors import DataError
from cfbench.model.limits import require_whole


@dataclass(frozen=True)
class MinimumRatings:
    """Removal of users with too few ratings, then of items with too few of the ratings that are left; one pass.

    The second step may leave users with fewer ratings than the first asked for: ``k-core`` repeats until none is.
    MovieLens data sets are published after such a step: their users have at least 20 ratings (Harper and Konstan 2015).

    Attributes:
        user: ratings that a user must have, at least 1.
        item: ratings that an item must have of the users who remain, at least 1.
    """

    user: int = 5
    item: int = 1

    def __post_init__(self) -> None:
        require_whole(self, 1, "user", "item")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the data set of the users and items that remain; raises DataError where none do."""
        keep = (np.bincount(dataset.user_index) >= self.user)[dataset.user_index]
        popularity = np.bincount(dataset.item_index[keep], minlength=len(dataset.items))
        keep &= (popularity >= self.item)[dataset.item_index]
        if not keep.any():
            raise DataError(
                f"minimum-ratings[item={self.item},user={self.user}] leaves none of the {len(dataset)} ratings of "
                f"{dataset.name!r}; use smaller minima"
            )
        return subset(dataset, keep)
