"""The most rated items first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts

_KIND = "cfbench-baselines.popular.1"


@dataclass
class Popular:
    """Ranks items by their number of training ratings; predicts no ratings.

    ``s(u, i) = number of training ratings of i``, the same list for everyone, known or not. The baseline of
    every ranking table and the far end of popularity bias.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Count the ratings; no randomness."""
        self.counts_ = train.item_counts.astype(np.float32)

    def score_items(self, users: Codes) -> Floats:
        """Return the counts for each user, shape (b, n_items)."""
        return np.repeat(self.counts_[None, :], len(users), axis=0)

    def save(self, directory: Path) -> None:
        """Write the counts."""
        save_parts(directory, _KIND, {"counts": self.counts_})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, _ = load_parts(directory, _KIND)
        model = cls()
        model.counts_ = arrays["counts"]
        return model
