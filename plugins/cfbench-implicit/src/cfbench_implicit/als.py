"""Alternating least squares for implicit feedback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from implicit.cpu.als import AlternatingLeastSquares

from cfbench.model import FitContext, Ratings, require_at_least, require_unit_interval, require_whole
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import AnswersFromFactors, fit_factors


@dataclass
class ImplicitALS(AnswersFromFactors, kind="cfbench-implicit.implicit-als.2"):
    """Ranks by weighted matrix factorisation of the pairs that have a rating (ALS).

    Minimises ``sum over all (u, i) of c(u, i) (x(u, i) - p_u . q_i)^2 + regularization (|p_u|^2 + |q_i|^2)``, where
    ``x`` is 1 for a positive pair and 0 elsewhere, and the confidence ``c`` is 1 elsewhere and grows with the rating
    of a positive pair (:func:`cfbench_implicit.confidence.confidences`). Ranks only: ``p_u . q_i`` is no rating.
    Unknown users get no list. Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets",
    ICDM 2008; Takács, Pilászy and Tikk, "Applications of the conjugate gradient method", RecSys 2011.

    Attributes:
        n_factors: length of the factor vectors.
        regularization: weight of the squared norms.
        alpha: how much more than 1 the confidence of the highest rating is.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        epochs: alternations over users and items.
    """

    n_factors: int = 32
    regularization: float = 0.1
    alpha: float = 10.0
    positive_from: float = 0.0
    epochs: int = 15

    seed_names: ClassVar = {"n_factors": "factors", "epochs": "iterations"}

    def __post_init__(self) -> None:
        require_at_least(self, 0, "regularization", "alpha")
        require_whole(self, 1, "n_factors", "epochs")
        require_unit_interval(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on ``context.threads`` threads; the seed starts the factors."""
        matrix = confidences(train, alpha=self.alpha, positive_from=self.positive_from)
        self.factors_ = fit_factors(
            AlternatingLeastSquares,
            matrix,
            context,
            n_factors=self.n_factors,
            epochs=self.epochs,
            regularization=self.regularization,
            num_threads=context.threads,
        )
