"""Non-negative matrix factorisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surprise import NMF

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_surprise.factors import BiasedFactors, FactorModel
from cfbench_surprise.trainset import coded_trainset


@dataclass
class SurpriseNMF(FactorModel, kind="cfbench-surprise.nmf.2"):
    """Surprise's NMF: non-negative factors learned by regularised multiplicative updates.

    ``r(u, i) = q_i . p_u`` with ``p, q >= 0``; unknown users and items get NaN. With ``biased=True``,
    ``r(u, i) = mu + b_u + b_i + q_i . p_u`` and unknown users and items have biases and factors 0. Luo et al., "An
    efficient non-negative matrix-factorization-based approach", IEEE Trans. Industrial Informatics 2014.
    Other parameters are the library's own; ``random_state=None`` takes the seed of the run.
    """

    n_factors: int = 15
    epochs: int = 50
    biased: bool = False
    reg_pu: float = 0.06
    reg_qi: float = 0.06
    reg_bu: float = 0.02
    reg_bi: float = 0.02
    lr_bu: float = 0.005
    lr_bi: float = 0.005
    init_low: float = 0.0
    init_high: float = 1.0
    random_state: int | None = None

    seed_names: ClassVar = {"epochs": "n_epochs"}

    def __post_init__(self) -> None:
        require_positive(self, "lr_bu", "lr_bi", "init_high")
        require_at_least(self, 0, "reg_pu", "reg_qi", "reg_bu", "reg_bi", "init_low")
        require_whole(self, 0, "random_state")
        require_whole(self, 1, "n_factors", "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        algo = NMF(**self.arguments(context)).fit(coded.trainset)
        self.learned_ = BiasedFactors.of(algo, coded)
