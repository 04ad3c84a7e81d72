"""Non-negative matrix factorisation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from surprise import NMF

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biased_factors import BiasedFactors
from cfbench_surprise.factorised import factorised
from cfbench_surprise.options import arguments, library_seed
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.nmf.1"


@dataclass
class SurpriseNMF:
    """Surprise's NMF: non-negative factors learned by regularised multiplicative updates.

    ``r(u, i) = q_i . p_u`` with ``p, q >= 0``; unknown users and items get NaN. With ``biased=True``,
    ``r(u, i) = mu + b_u + b_i + q_i . p_u`` and unknown users and items have biases and factors 0. Luo et al., "An
    efficient non-negative matrix-factorization-based approach", IEEE Trans. Industrial Informatics 2014.
    Parameters are the library's own; ``random_state=None`` takes the seed of the run.
    """

    n_factors: int = 15
    n_epochs: int = 50
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

    def __post_init__(self) -> None:
        require_positive(self, "lr_bu", "lr_bi", "init_high")
        require_at_least(self, 0, "reg_pu", "reg_qi", "reg_bu", "reg_bi", "init_low", "random_state")
        require_at_least(self, 1, "n_factors", "n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        seed = library_seed(self.random_state, context)
        algo = NMF(**(arguments(self) | {"random_state": seed})).fit(coded.trainset)
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
