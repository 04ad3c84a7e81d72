"""Regularised user and item biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from surprise import BaselineOnly

from cfbench.model import FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_surprise.adapter import Adapter, baseline_options
from cfbench_surprise.factors import Biases
from cfbench_surprise.trainset import coded_trainset


@dataclass
class SurpriseBaseline(Adapter, kind="cfbench-surprise.baseline.2", learned_=Biases):
    """Surprise's BaselineOnly: the mean plus regularised user and item biases.

    ``r(u, i) = mu + b_u + b_i``, by alternating least squares or stochastic gradient descent; unknown users and
    items have the bias 0. Koren, "Factor in the neighbors", TKDD 2010, section 2.1. Parameters are those of the
    library's ``bsl_options``: ``reg_u`` and ``reg_i`` serve ``als``, ``reg`` and ``learning_rate`` serve ``sgd``;
    ``epochs=None`` is 10 for ``als`` and 20 for ``sgd``.
    """

    method: Literal["als", "sgd"] = "als"
    epochs: int | None = None
    reg_u: float = 15.0
    reg_i: float = 10.0
    reg: float = 0.02
    learning_rate: float = 0.005

    seed_names: ClassVar = {"epochs": "n_epochs"}

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "reg_u", "reg_i", "reg")
        require_whole(self, 1, "epochs")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn by the library; no randomness."""
        coded = coded_trainset(train)
        algo = BaselineOnly(bsl_options=baseline_options(self), verbose=False).fit(coded.trainset)
        self.learned_ = Biases(coded.mean, coded.by_user(algo.bu), coded.by_item(algo.bi))
