"""Matrix factorisation that also learns from which items were rated at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from surprise import SVDpp

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biased_factors import BiasedFactors
from cfbench_surprise.biases import Biases
from cfbench_surprise.options import arguments, library_seed
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.svdpp.1"


@dataclass
class SurpriseSVDpp:
    """Surprise's SVD++: SVD whose user factors also sum up which items the user rated.

    ``r(u, i) = mu + b_u + b_i + q_i . (p_u + |I_u|^(-1/2) * sum of y_j over the items j in I_u)``, ``I_u`` being what u
    rated in training. Unknown users and items have biases and factors 0. Koren, "Factorization meets the
    neighborhood", KDD 2008. Slow: its time grows with the square of a user's ratings. Parameters are the library's
    own; ``random_state=None`` takes the seed of the run; ``cache_ratings`` trades memory for time.
    """

    n_factors: int = 20
    n_epochs: int = 20
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    lr_all: float = 0.007
    reg_all: float = 0.02
    lr_bu: float | None = None
    lr_bi: float | None = None
    lr_pu: float | None = None
    lr_qi: float | None = None
    lr_yj: float | None = None
    reg_bu: float | None = None
    reg_bi: float | None = None
    reg_pu: float | None = None
    reg_qi: float | None = None
    reg_yj: float | None = None
    random_state: int | None = None
    cache_ratings: bool = False

    def __post_init__(self) -> None:
        require_positive(self, "lr_all", "lr_bu", "lr_bi", "lr_pu", "lr_qi", "lr_yj")
        require_at_least(
            self, 0, "reg_all", "reg_bu", "reg_bi", "reg_pu", "reg_qi", "reg_yj", "init_std_dev", "random_state"
        )
        require_at_least(self, 1, "n_factors", "n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; the seed draws the first factors."""
        coded = coded_trainset(train)
        seed = library_seed(self.random_state, context)
        algo = SVDpp(**(arguments(self) | {"random_state": seed})).fit(coded.trainset)
        implicit = _implicit_factors(train, coded.by_item(algo.yj)[:-1])
        self.factors_ = BiasedFactors(
            biases=Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi)),
            user_factors=coded.by_user(algo.pu) + implicit,
            item_factors=coded.by_item(algo.qi),
        )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,)."""
        return self.factors_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items)."""
        return self.factors_.of_rows(users)

    def embeddings(self) -> Embeddings:
        """Return factors, a user's with those of what was rated, and biases that add up to the prediction."""
        return self.factors_.embeddings(biased=True)

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


def _implicit_factors(train: Ratings, items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum ``y_j`` over each user's items, over the root of their number; shape (n_users + 1, k), 0 for unknown."""
    weights = 1 / np.sqrt(train.user_counts[train.users])
    rated = csr_array((weights, (train.users, train.items)), shape=(train.n_users + 1, train.n_items))
    return np.asarray(rated @ items)
