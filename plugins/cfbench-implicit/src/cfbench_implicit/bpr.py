"""Bayesian personalised ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from implicit.cpu.bpr import BayesianPersonalizedRanking

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_unit_interval, require_whole
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import AnswersFromFactors, fit_factors


@dataclass
class ImplicitBPR(AnswersFromFactors, kind="cfbench-implicit.implicit-bpr.2"):
    """Ranks by Bayesian personalised ranking: a positive item before a random other one (BPR).

    Maximises ``sum of ln sigmoid(s(u, i) - s(u, j)) - regularization |.|^2`` over positive pairs ``(u, i)`` and sampled
    items ``j`` that are not positive for u, with ``s(u, i) = b_i + p_u . q_i``. Which items are positive matters, how
    high they were rated does not. Ranks only; unknown users get no list. The fit runs on one thread whatever the
    context offers: with more, threads race for the same factors and no two runs agree. Rendle et al., "BPR:
    Bayesian personalized ranking from implicit feedback", UAI 2009.

    Attributes:
        n_factors: length of the factor vectors.
        learning_rate: step of the stochastic gradient.
        regularization: weight of the squared norms.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        epochs: passes over the positive pairs.
    """

    n_factors: int = 50
    learning_rate: float = 0.01
    regularization: float = 0.01
    positive_from: float = 0.0
    epochs: int = 100

    seed_names: ClassVar = {"n_factors": "factors", "epochs": "iterations"}

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "regularization")
        require_whole(self, 1, "n_factors", "epochs")
        require_unit_interval(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on one thread; the seed starts the factors and draws the samples."""
        matrix = confidences(train, alpha=0, positive_from=self.positive_from)
        self.factors_ = fit_factors(
            BayesianPersonalizedRanking,
            matrix,
            context,
            n_factors=self.n_factors,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            num_threads=1,
        )
