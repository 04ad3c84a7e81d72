"""Neighbours' ratings about their own means."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from surprise import KNNWithMeans

from cfbench.model.limits import require_at_least
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.neighbourhood import Neighbourhood, neighbourhood, one_sided_base
from cfbench_surprise.options import similarity_options
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.knn-means.1"


@dataclass
class SurpriseKNNMeans:
    """Surprise's KNNWithMeans: the user's mean plus the neighbours' deviations from theirs.

    ``r(u, i) = mu_u + sum of sim(u, v) (r(v, i) - mu_v) / sum of sim(u, v)`` over the ``k`` users v most
    similar to u who rated i, as far as their similarity is above 0; likewise over the user's items if not
    ``user_based``. With fewer than ``min_k`` neighbours it is ``mu_u``; NaN for unknown users and items.
    Resnick et al., "GroupLens", CSCW 1994. Parameters are the library's own, those of ``sim_options`` flat:
    ``k`` neighbours at most, ``min_k`` at least; ``similarity`` over common ratings, 0 with fewer than
    ``min_support`` of them; ``user_based=False`` compares items; ``shrinkage`` serves ``pearson_baseline``
    alone. Memory grows with the square of the number of users (of items).
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
        algo = KNNWithMeans(k=self.k, min_k=self.min_k, sim_options=similarity_options(self), verbose=False).fit(
            coded.trainset
        )
        base = one_sided_base(coded, algo.means, user_based=self.user_based)
        self.neighbourhood_ = neighbourhood(self, algo, coded, train, base)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN for unknown users and items."""
        return self.neighbourhood_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); a row of NaN for unknown users."""
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
