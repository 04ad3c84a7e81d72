"""Bayesian personalised ranking."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from implicit.cpu.bpr import BayesianPersonalizedRanking

from cfbench.model.limits import require_at_least, require_positive, require_share
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_implicit.confidence import confidences
from cfbench_implicit.factors import RankingFactors, fit_factors, library_seed

_KIND = "cfbench-implicit.implicit-bpr.1"


@dataclass
class ImplicitBPR:
    """Ranks by Bayesian personalised ranking: a positive item before a random other one (BPR).

    Maximises ``sum of ln sigmoid(s(u, i) - s(u, j)) - regularization |.|^2`` over positive pairs ``(u, i)`` and sampled
    items ``j`` that are not positive for u, with ``s(u, i) = b_i + p_u . q_i``. Which items are positive matters, how
    high they were rated does not. Ranks only; unknown users get no list. The fit runs on one thread whatever the
    context offers: with more, threads race for the same factors and no two runs agree. Rendle et al., "BPR:
    Bayesian personalized ranking from implicit feedback", UAI 2009.

    Attributes:
        factors: length of the factor vectors.
        learning_rate: step of the stochastic gradient.
        regularization: weight of the squared norms.
        positive_from: ratings below this share of the scale, in [0, 1], are left out; 0 takes every rating.
        iterations: passes over the positive pairs.
    """

    factors: int = 50
    learning_rate: float = 0.01
    regularization: float = 0.01
    positive_from: float = 0.0
    iterations: int = 100

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "regularization")
        require_at_least(self, 1, "factors", "iterations")
        require_share(self, "positive_from")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit on one thread; the seed starts the factors and draws the samples."""
        matrix = confidences(train, alpha=0, positive_from=self.positive_from)
        self.ranking_ = fit_factors(
            lambda: BayesianPersonalizedRanking(
                factors=self.factors,
                learning_rate=self.learning_rate,
                regularization=self.regularization,
                iterations=self.iterations,
                num_threads=1,
                random_state=library_seed(context),
            ),
            matrix,
            context,
            epochs=self.iterations,
        )

    def score_items(self, users: Codes) -> Floats:
        """Return ``b_i + p_u . q_i`` for every item, shape (b, n_items); a row of NaN for unknown users."""
        return self.ranking_.scores(users)

    def embeddings(self) -> Embeddings:
        """Return factors and item biases; the library keeps these in a last column."""
        return self.ranking_.embeddings(self.factors, item_bias=self.factors)

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
