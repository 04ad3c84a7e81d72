"""The mean rating of each item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_baselines.group_means import group_means

_KIND = "cfbench-baselines.item-mean.1"


@dataclass
class ItemMean:
    """Predicts the mean training rating of the item.

    ``r(u, i) = mean of r(v, i) over the users v who rated i in training``. An unknown item has no mean: NaN.
    As a ranking it shows why undamped means do not rank: items with a single top rating come first.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Take the means; no randomness."""
        self.means_ = group_means(train.items, train.ratings, train.n_items)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the items' means, shape (m,); NaN for unknown items."""
        return self.means_[items]

    def score_items(self, users: Codes) -> Floats:
        """Return the items' means, the same for every user, known or not; shape (b, n_items)."""
        return np.repeat(self.means_[None, :-1].astype(np.float32), len(users), axis=0)

    def save(self, directory: Path) -> None:
        """Write the means."""
        save_parts(directory, _KIND, {"means": self.means_})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, _ = load_parts(directory, _KIND)
        model = cls()
        model.means_ = arrays["means"]
        return model
