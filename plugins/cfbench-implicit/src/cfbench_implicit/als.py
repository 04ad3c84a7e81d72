"""Alternating least squares for implicit feedback."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from implicit.cpu.als import AlternatingLeastSquares

from cfbench.model.limits import require_at_least, require_share
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import RankingFactors, fit_factors, library_seed

_KIND = "cfbench-implicit.implicit-als.1"


@dataclass
class ImplicitALS:
    """Ranks by weighted matrix factorisation of who rated what (ALS).

    Minimises ``sum over all (u, i) of c(u, i) (x(u, i) - p_u . q_i)^2 + regularization (|p_u|^2 + |q_i|^2)``, where
    ``x`` is 1 for a positive pair and 0 elsewhere, and the confidence ``c`` is 1 elsewhere and grows with the rating
    of a positive pair (:func:`cfbench_implicit.confidence.confidences`). Ranks only: ``p_u . q_i`` is no rating.
    Unknown users get no list. Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets",
    ICDM 2008; Takács, Pilászy and Tikk, "Applications of the conjugate gradient method", RecSys 2011.

    Attributes:
        factors: length of the factor vectors.
        regularization: weight of the squared norms.
        alpha: how much more than 1 the confidence of the highest rating is.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        iterations: alternations over users and items.
    """

    factors: int = 32
    regularization: float = 0.1
    alpha: float = 10.0
    positive_from: float = 0.0
    iterations: int = 15

    def __post_init__(self) -> None:
        require_at_least(self, 0, "regularization", "alpha")
        require_at_least(self, 1, "factors", "iterations")
        require_share(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on ``context.threads`` threads; the seed starts the factors."""
        matrix = confidences(train, alpha=self.alpha, positive_from=self.positive_from)
        self.ranking_ = fit_factors(
            lambda: AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                iterations=self.iterations,
                num_threads=context.threads,
                random_state=library_seed(context),
            ),
            matrix,
            context,
            epochs=self.iterations,
        )

    def score_items(self, users: Codes) -> Floats:
        """Return ``p_u . q_i`` for every item, shape (b, n_items); a row of NaN for unknown users."""
        return self.ranking_.scores(users)

    def embeddings(self) -> Embeddings:
        """Return the factors; their product is the score."""
        return self.ranking_.embeddings(self.factors)

    def save(self, directory: Path) -> None:
        """Write the factors."""
        save_parts(directory, _KIND, self.ranking_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.ranking_ = RankingFactors.among(arrays)
        return model
