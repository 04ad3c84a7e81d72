"""Logistic matrix factorisation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from implicit.cpu.lmf import LogisticMatrixFactorization

from cfbench.model.limits import require_at_least, require_positive, require_share
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import RankingFactors, fit_factors, library_seed

_KIND = "cfbench-implicit.implicit-lmf.1"


@dataclass
class ImplicitLMF:
    """Ranks by the probability that a user takes to an item (logistic matrix factorisation).

    Models ``P(u likes i) = sigmoid(s(u, i))`` with ``s(u, i) = b_u + b_i + p_u . q_i``; a positive pair counts with its
    confidence (:func:`cfbench_implicit.confidence.confidences`), sampled other items count as negative with
    weight 1. Ranks only; unknown users get no list. Johnson, "Logistic matrix factorization for implicit feedback
    data", NIPS workshop 2014. The fit runs on one thread whatever the context offers, because the sampled
    negatives would depend on how threads share the work.

    Attributes:
        factors: length of the factor vectors.
        learning_rate: first step of the adaptive gradient (AdaGrad).
        regularization: weight of the squared norms.
        alpha: how much more than 1 the confidence of the highest rating is.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        neg_prop: sampled negatives per positive.
        iterations: alternations over users and items.
    """

    factors: int = 30
    learning_rate: float = 1.0
    regularization: float = 0.6
    alpha: float = 1.0
    positive_from: float = 0.0
    neg_prop: int = 30
    iterations: int = 30

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "regularization", "alpha")
        require_at_least(self, 1, "factors", "iterations", "neg_prop")
        require_share(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on one thread; the seed starts the factors and draws the negatives."""
        matrix = confidences(train, alpha=self.alpha, positive_from=self.positive_from)
        self.ranking_ = fit_factors(
            lambda: LogisticMatrixFactorization(
                factors=self.factors,
                learning_rate=self.learning_rate,
                regularization=self.regularization,
                iterations=self.iterations,
                neg_prop=self.neg_prop,
                num_threads=1,
                random_state=library_seed(context),
            ),
            matrix,
            context,
            epochs=self.iterations,
        )

    def score_items(self, users: Codes) -> Floats:
        """Return ``b_u + b_i + p_u . q_i`` for every item, shape (b, n_items); NaN rows for unknown users."""
        return self.ranking_.scores(users)

    def embeddings(self) -> Embeddings:
        """Return factors and biases; the library keeps them in the last two columns."""
        return self.ranking_.embeddings(self.factors, item_bias=self.factors, user_bias=self.factors + 1)

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
