"""Matrix factorisation by stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surprise import SVD

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_surprise.factors import BiasedFactors, FactorModel
from cfbench_surprise.trainset import coded_trainset


@dataclass
class SurpriseSVD(FactorModel, kind="cfbench-surprise.svd.2"):
    """Surprise's SVD: biases and factors learned by stochastic gradient descent.

    ``r(u, i) = mu + b_u + b_i + q_i . p_u``, minimising the squared error plus
    ``reg (b_u^2 + b_i^2 + |q_i|^2 + |p_u|^2)``. Unknown users and items have biases and factors 0. With
    ``biased=False``, ``r(u, i) = q_i . p_u`` and unknown users and items get NaN. Funk 2006; Koren, Bell and Volinsky,
    "Matrix factorization techniques for recommender systems", Computer 2009. Other parameters are the library's own;
    ``random_state=None`` takes the seed of the run.
    """

    n_factors: int = 100
    epochs: int = 20
    biased: bool = True
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    learning_rate: float = 0.005
    regularization: float = 0.02
    lr_bu: float | None = None
    lr_bi: float | None = None
    lr_pu: float | None = None
    lr_qi: float | None = None
    reg_bu: float | None = None
    reg_bi: float | None = None
    reg_pu: float | None = None
    reg_qi: float | None = None
    random_state: int | None = None

    seed_names: ClassVar = {
        "epochs": "n_epochs",
        "learning_rate": "lr_all",
        "regularization": "reg_all",
    }

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate", "lr_bu", "lr_bi", "lr_pu", "lr_qi")
        require_at_least(self, 0, "regularization", "reg_bu", "reg_bi", "reg_pu", "reg_qi", "init_std_dev")
        require_whole(self, 0, "random_state")
        require_whole(self, 1, "n_factors", "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        algo = SVD(**self.arguments(context)).fit(coded.trainset)
        self.learned_ = BiasedFactors.of(algo, coded)
