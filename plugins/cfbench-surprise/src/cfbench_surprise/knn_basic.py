"""Weighted mean of the neighbours' ratings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from surprise import KNNBasic

from cfbench.model.limits import require_at_least
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.neighbourhood import Neighbourhood, neighbourhood, one_sided_base
from cfbench_surprise.options import similarity_options
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.knn-basic.1"


@dataclass
class SurpriseKNNBasic:
    """Surprise's KNNBasic: the mean rating of the nearest neighbours, weighted by similarity.

    ``r(u, i) = sum of sim(u, v) r(v, i) / sum of sim(u, v)`` over the ``k`` users v most similar to u who rated
    i, as far as their similarity is above 0; likewise over the user's items if not ``user_based``. NaN for
    unknown users and items and where fewer than ``min_k`` neighbours are found. Resnick et al., "GroupLens",
    CSCW 1994; Sarwar et al., "Item-based collaborative filtering", WWW 2001. Parameters are the library's own,
    those of ``sim_options`` flat: ``k`` neighbours at most, ``min_k`` at least; ``similarity`` over common
    ratings, 0 with fewer than ``min_support`` of them; ``user_based=False`` compares items; ``shrinkage``
    serves ``pearson_baseline`` alone. Memory grows with the square of the number of users (of items).
    """

    k: int = 40
    min_k: int = 1
    similarity: Literal["cosine", "msd", "pearson", "pearson_baseline"] = "msd"
    user_based: bool = True
    min_support: int = 1
    shrinkage: float = 100.0

    def __post_init__(self) -> None:
        require_at_least(self, 0, "shrinkage")
        require_at_least(self, 1, "k", "min_k", "min_support")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        coded = coded_trainset(train)
        algo = KNNBasic(k=self.k, min_k=self.min_k, sim_options=similarity_options(self), verbose=False).fit(
            coded.trainset
        )
        base = one_sided_base(coded, 0.0, user_based=self.user_based)
        self.neighbourhood_ = neighbourhood(self, algo, coded, train, base, empty=np.nan)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN where it cannot say."""
        return self.neighbourhood_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); NaN where it cannot say."""
        return self.neighbourhood_.of_rows(users)

    def save(self, directory: Path) -> None:
        """Write similarities and residual ratings."""
        save_parts(directory, _KIND, self.neighbourhood_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.neighbourhood_ = Neighbourhood.among(arrays, model)
        return model
