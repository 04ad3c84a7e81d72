"""Neighbours' ratings about regularised biases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from surprise import KNNBaseline

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biases import Biases
from cfbench_surprise.neighbourhood import Neighbourhood, neighbourhood
from cfbench_surprise.options import baseline_options, similarity_options
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.knn-baseline.1"


@dataclass
class SurpriseKNNBaseline:
    """Surprise's KNNBaseline: regularised biases plus the neighbours' deviations from them.

    ``r(u, i) = b(u, i) + sum of sim(u, v) (r(v, i) - b(v, i)) / sum of sim(u, v)`` over the ``k`` users v most
    similar to u who rated i, as far as their similarity is above 0; likewise over the user's items if not
    ``user_based``. ``b(u, i) = mu + b_u + b_i`` as in ``surprise-baseline``, whose parameters carry the prefix
    ``bsl_`` here, is the answer with fewer than ``min_k`` neighbours; unknown users and items have the bias 0.
    Koren, "Factor in the neighbors", TKDD 2010, formula (3). Parameters are the library's own, those of
    ``sim_options`` flat: ``k`` neighbours at most, ``min_k`` at least; ``similarity`` over common ratings, 0
    with fewer than ``min_support`` of them; ``user_based=False`` compares items; ``shrinkage`` serves
    ``pearson_baseline`` alone. Memory grows with the square of the number of users (of items).
    """

    k: int = 40
    min_k: int = 1
    similarity: Literal["cosine", "msd", "pearson", "pearson_baseline"] = "msd"
    user_based: bool = True
    min_support: int = 1
    shrinkage: float = 100.0
    bsl_method: Literal["als", "sgd"] = "als"
    bsl_n_epochs: int | None = None
    bsl_reg_u: float = 15.0
    bsl_reg_i: float = 10.0
    bsl_reg: float = 0.02
    bsl_learning_rate: float = 0.005

    def __post_init__(self) -> None:
        require_positive(self, "bsl_learning_rate")
        require_at_least(self, 0, "shrinkage", "bsl_reg_u", "bsl_reg_i", "bsl_reg")
        require_at_least(self, 1, "k", "min_k", "min_support", "bsl_n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        coded = coded_trainset(train)
        algo = KNNBaseline(
            k=self.k,
            min_k=self.min_k,
            sim_options=similarity_options(self),
            bsl_options=baseline_options(
                method=self.bsl_method,
                n_epochs=self.bsl_n_epochs,
                reg_u=self.bsl_reg_u,
                reg_i=self.bsl_reg_i,
                reg=self.bsl_reg,
                learning_rate=self.bsl_learning_rate,
            ),
            verbose=False,
        ).fit(coded.trainset)
        base = Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi))
        self.neighbourhood_ = neighbourhood(self, algo, coded, train, base)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,)."""
        return self.neighbourhood_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items)."""
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
