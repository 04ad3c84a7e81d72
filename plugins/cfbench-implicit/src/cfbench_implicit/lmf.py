"""Logistic matrix factorisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from implicit.cpu.lmf import LogisticMatrixFactorization

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_unit_interval, require_whole
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import AnswersFromFactors, fit_factors


@dataclass
class ImplicitLMF(AnswersFromFactors, kind="cfbench-implicit.implicit-lmf.2"):
    """Ranks by the probability that a user takes to an item (logistic matrix factorisation).

    Models ``P(u likes i) = sigmoid(s(u, i))`` with ``s(u, i) = b_u + b_i + p_u . q_i``; a positive pair counts with its
    confidence (:func:`cfbench_implicit.confidence.confidences`), sampled other items count as negative with
    weight 1. Ranks only; unknown users get no list. Johnson, "Logistic matrix factorization for implicit feedback
    data", NIPS workshop 2014. The fit runs on one thread whatever the context offers, because the sampled
    negatives would depend on how threads share the work.

    Attributes:
        n_factors: length of the factor vectors.
        learning_rate: first step of the adaptive gradient (AdaGrad).
        regularization: weight of the squared norms.
        alpha: how much more than 1 the confidence of the highest rating is.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        neg_prop: sampled negatives per positive.
        epochs: alternations over users and items.
    """

    n_factors: int = 30
    learning_rate: float = 1.0
    regularization: float = 0.6
    alpha: float = 1.0
    positive_from: float = 0.0
    neg_prop: int = 30
    epochs: int = 30

    seed_names: ClassVar = {"n_factors": "factors", "epochs": "iterations"}

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "regularization", "alpha")
        require_whole(self, 1, "n_factors", "epochs", "neg_prop")
        require_unit_interval(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on one thread; the seed starts the factors and draws the negatives."""
        matrix = confidences(train, alpha=self.alpha, positive_from=self.positive_from)
        self.factors_ = fit_factors(
            LogisticMatrixFactorization,
            matrix,
            context,
            n_factors=self.n_factors,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            neg_prop=self.neg_prop,
            num_threads=1,
        )
