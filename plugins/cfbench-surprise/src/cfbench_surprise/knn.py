"""The k nearest neighbours in four formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from surprise import KNNBaseline, KNNBasic, KNNWithMeans, KNNWithZScore

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_surprise.adapter import baseline_options
from cfbench_surprise.factors import Biases
from cfbench_surprise.neighbourhood import NeighbourhoodModel


@dataclass
class SurpriseKNNBasic(NeighbourhoodModel, kind="cfbench-surprise.knn-basic.2"):
    """Surprise's KNNBasic: the mean rating of the nearest neighbours, weighted by similarity.

    ``r(u, i) = sum of sim(u, v) r(v, i) / sum of sim(u, v)`` over the ``k`` users v most similar to u who rated
    i, as far as their similarity is above 0; likewise over the user's items if not ``user_based``. NaN for
    unknown users and items and where fewer than ``min_k`` neighbours are found. Resnick et al., "GroupLens",
    CSCW 1994; Sarwar et al., "Item-based collaborative filtering", WWW 2001. Parameters: see
    :class:`cfbench_surprise.neighbourhood.NeighbourhoodModel`. Memory grows with the square of the number of users (of
    items).
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        algo, coded = self.fitted(KNNBasic, train)
        self.learned_ = self.neighbourhood(algo, coded, train, self.one_sided_base(coded, 0.0), silent=True)


@dataclass
class SurpriseKNNMeans(NeighbourhoodModel, kind="cfbench-surprise.knn-means.2"):
    """Surprise's KNNWithMeans: the user's mean plus the neighbours' deviations from theirs.

    ``r(u, i) = mu_u + sum of sim(u, v) (r(v, i) - mu_v) / sum of sim(u, v)`` over the neighbours v of
    ``surprise-knn-basic``; likewise over the user's items if not ``user_based``. With fewer than ``min_k`` neighbours
    it is ``mu_u``; NaN for unknown users and items. Resnick et al., "GroupLens", CSCW 1994.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        algo, coded = self.fitted(KNNWithMeans, train)
        self.learned_ = self.neighbourhood(algo, coded, train, self.one_sided_base(coded, algo.means))


@dataclass
class SurpriseKNNZScore(NeighbourhoodModel, kind="cfbench-surprise.knn-zscore.2"):
    """Surprise's KNNWithZScore: the user's mean plus the neighbours' z-scores in the user's own spread.

    ``r(u, i) = mu_u + s_u * sum of sim(u, v) (r(v, i) - mu_v) / s_v / sum of sim(u, v)`` over the neighbours v of
    ``surprise-knn-basic``; likewise over the user's items if not ``user_based``. ``s`` is a user's standard deviation,
    that of all ratings where it is 0. With fewer than ``min_k`` neighbours it is ``mu_u``; NaN for unknown users and
    items. Herlocker, Konstan and Riedl, Information Retrieval 2002.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        algo, coded = self.fitted(KNNWithZScore, train)
        # Ratings that are all equal have no spread at all: any will do, as every residual is 0.
        spread = np.where(algo.sigmas > 0, algo.sigmas, 1.0)
        base = self.one_sided_base(coded, algo.means)
        self.learned_ = self.neighbourhood(algo, coded, train, base, spread=spread)


@dataclass
class SurpriseKNNBaseline(NeighbourhoodModel, kind="cfbench-surprise.knn-baseline.2"):
    """Surprise's KNNBaseline: regularised biases plus the neighbours' deviations from them.

    ``r(u, i) = b(u, i) + sum of sim(u, v) (r(v, i) - b(v, i)) / sum of sim(u, v)`` over the neighbours v of
    ``surprise-knn-basic``; likewise over the user's items if not ``user_based``. ``b(u, i) = mu + b_u + b_i`` as in
    ``surprise-baseline``, whose parameters carry the prefix ``bsl_`` here, is the answer with fewer than ``min_k``
    neighbours; unknown users and items have the bias 0. Koren, "Factor in the neighbors", TKDD 2010, formula (3).
    """

    bsl_method: Literal["als", "sgd"] = "als"
    bsl_epochs: int | None = None
    bsl_reg_u: float = 15.0
    bsl_reg_i: float = 10.0
    bsl_reg: float = 0.02
    bsl_learning_rate: float = 0.005

    seed_names: ClassVar = {"bsl_epochs": "bsl_n_epochs"}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "bsl_learning_rate")
        require_at_least(self, 0, "bsl_reg_u", "bsl_reg_i", "bsl_reg")
        require_whole(self, 1, "bsl_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        algo, coded = self.fitted(KNNBaseline, train, bsl_options=baseline_options(self, "bsl_"))
        base = Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi))
        self.learned_ = self.neighbourhood(algo, coded, train, base)
