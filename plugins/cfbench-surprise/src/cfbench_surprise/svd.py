"""Matrix factorisation by stochastic gradient descent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from surprise import SVD

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biased_factors import BiasedFactors
from cfbench_surprise.factorised import factorised
from cfbench_surprise.options import arguments, library_seed
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.svd.1"


@dataclass
class SurpriseSVD:
    """Surprise's SVD: biases and factors learned by stochastic gradient descent.

    ``r(u, i) = mu + b_u + b_i + q_i . p_u``, minimising the squared error plus
    ``reg (b_u^2 + b_i^2 + |q_i|^2 + |p_u|^2)``. Unknown users and items have biases and factors 0. With
    ``biased=False``, ``r(u, i) = q_i . p_u`` and unknown users and items get NaN. Funk 2006; Koren, Bell and Volinsky,
    "Matrix factorization techniques for recommender systems", Computer 2009. Parameters are the library's own;
    ``random_state=None`` takes the seed of the run.
    """

    n_factors: int = 100
    n_epochs: int = 20
    biased: bool = True
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    lr_all: float = 0.005
    reg_all: float = 0.02
    lr_bu: float | None = None
    lr_bi: float | None = None
    lr_pu: float | None = None
    lr_qi: float | None = None
    reg_bu: float | None = None
    reg_bi: float | None = None
    reg_pu: float | None = None
    reg_qi: float | None = None
    random_state: int | None = None

    def __post_init__(self) -> None:
        require_positive(self, "lr_all", "lr_bu", "lr_bi", "lr_pu", "lr_qi")
        require_at_least(self, 0, "reg_all", "reg_bu", "reg_bi", "reg_pu", "reg_qi", "init_std_dev", "random_state")
        require_at_least(self, 1, "n_factors", "n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        seed = library_seed(self.random_state, context)
        algo = SVD(**(arguments(self) | {"random_state": seed})).fit(coded.trainset)
        self.factors_ = factorised(algo, coded)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,)."""
        return self.factors_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items)."""
        return self.factors_.of_rows(users)

    def embeddings(self) -> Embeddings:
        """Return factors and biases that add up to the prediction."""
        return self.factors_.embeddings(biased=self.biased)

    def save(self, directory: Path) -> None:
        """Write biases and factors."""
        save_parts(directory, _KIND, self.factors_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.factors_ = BiasedFactors.among(arrays)
        return model
