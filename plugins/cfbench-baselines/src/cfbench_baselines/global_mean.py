"""The mean of all training ratings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts

_KIND = "cfbench-baselines.global-mean.1"


@dataclass
class GlobalMean:
    """Predicts the mean of all training ratings for every pair.

    ``r(u, i) = mu``. The floor of every accuracy table: an RMSE above it says that a model is worse than
    a constant. All items score alike, so its lists are ties, broken by the harness.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Take the mean; no randomness."""
        self.mean_ = train.mean
        self.n_items_ = train.n_items

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the mean for every pair, unknown users and items included, shape (m,)."""
        return np.full(len(users), self.mean_)

    def score_items(self, users: Codes) -> Floats:
        """Return the mean for every item, shape (b, n_items)."""
        return np.full((len(users), self.n_items_), self.mean_, dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write the mean."""
        save_parts(directory, _KIND, {}, {"mean": self.mean_, "n_items": self.n_items_})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        _, facts = load_parts(directory, _KIND)
        model = cls()
        model.mean_, model.n_items_ = facts["mean"], facts["n_items"]
        return model
