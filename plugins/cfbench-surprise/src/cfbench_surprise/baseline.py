"""Regularised user and item biases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from surprise import BaselineOnly

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_surprise.biases import Biases
from cfbench_surprise.options import arguments, baseline_options
from cfbench_surprise.trainset import coded_trainset

_KIND = "cfbench-surprise.baseline.1"


@dataclass
class SurpriseBaseline:
    """Surprise's BaselineOnly: the mean plus regularised user and item biases.

    ``r(u, i) = mu + b_u + b_i``, by alternating least squares or stochastic gradient descent; unknown users and
    items have the bias 0. Koren, "Factor in the neighbors", TKDD 2010, section 2.1. Parameters are those of the
    library's ``bsl_options``: ``reg_u`` and ``reg_i`` serve ``als``, ``reg`` and ``learning_rate`` serve ``sgd``;
    ``n_epochs=None`` is 10 for ``als`` and 20 for ``sgd``.
    """

    method: Literal["als", "sgd"] = "als"
    n_epochs: int | None = None
    reg_u: float = 15.0
    reg_i: float = 10.0
    reg: float = 0.02
    learning_rate: float = 0.005

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "reg_u", "reg_i", "reg")
        require_at_least(self, 1, "n_epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        coded = coded_trainset(train)
        options = baseline_options(**arguments(self))
        algo = BaselineOnly(bsl_options=options, verbose=False).fit(coded.trainset)
        self.biases_ = Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i``, shape (m,)."""
        return self.biases_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return ``mu + b_u + b_i`` for every item, shape (b, n_items): one order of items for all users."""
        return self.biases_.of_rows(users)

    def save(self, directory: Path) -> None:
        """Write the biases."""
        save_parts(directory, _KIND, self.biases_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.biases_ = Biases.among(arrays)
        return model
