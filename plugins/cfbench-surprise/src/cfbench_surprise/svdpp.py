"""Matrix factorisation that also learns from which items were rated at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array
from surprise import SVDpp

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_surprise.factors import BiasedFactors, Biases, FactorModel
from cfbench_surprise.trainset import coded_trainset


@dataclass
class SurpriseSVDpp(FactorModel, kind="cfbench-surprise.svdpp.2"):
    """Surprise's SVD++: SVD whose user factors also sum up which items the user rated.

    ``r(u, i) = mu + b_u + b_i + q_i . (p_u + |I_u|^(-1/2) * sum of y_j over the items j in I_u)``, ``I_u`` being what u
    rated in training. Unknown users and items have biases and factors 0. Koren, "Factorization meets the
    neighborhood", KDD 2008. Slow: its time grows with the square of a user's ratings. Parameters are the library's
    own; ``random_state=None`` takes the seed of the run; ``cache_ratings`` trades memory for time.
    """

    n_factors: int = 20
    epochs: int = 20
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    learning_rate: float = 0.007
    regularization: float = 0.02
    lr_bu: float | None = None
    lr_bi: float | None = None
    lr_pu: float | None = None
    lr_qi: float | None = None
    lr_yj: float | None = None
    reg_bu: float | None = None
    reg_bi: float | None = None
    reg_pu: float | None = None
    reg_qi: float | None = None
    reg_yj: float | None = None
    random_state: int | None = None
    cache_ratings: bool = False

    seed_names: ClassVar = {
        "epochs": "n_epochs",
        "learning_rate": "lr_all",
        "regularization": "reg_all",
    }

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate", "lr_bu", "lr_bi", "lr_pu", "lr_qi", "lr_yj")
        require_at_least(self, 0, "regularization", "reg_bu", "reg_bi", "reg_pu", "reg_qi", "reg_yj", "init_std_dev")
        require_whole(self, 0, "random_state")
        require_whole(self, 1, "n_factors", "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        algo = SVDpp(**self.arguments(context)).fit(coded.trainset)
        biases = Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi))
        # The sum of y_j over each user's items, over the root of their number; 0 for the unknown user.
        weights = 1 / np.sqrt(train.user_counts[train.users])
        rated = csr_array((weights, (train.users, train.items)), shape=(train.n_users + 1, train.n_items))
        implicit = np.asarray(rated @ coded.by_item(algo.yj)[:-1])  # (n_users + 1, k)
        self.learned_ = BiasedFactors(biases, coded.by_user(algo.pu) + implicit, coded.by_item(algo.qi))
