"""Plugins as a stranger would write them: one file, no help from inside the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cfbench.data.splits import DataError, Dataset, Fold
from cfbench.evaluation.metrics import Contract, Evaluation, PerUser
from cfbench.model import Codes, FitContext, Floats, Ratings


@dataclass
class Midpoint:
    """Predicts the middle of the rating scale, moved by a shift."""

    shift: float = 0.0

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Remember the scale; there is nothing else to learn."""
        self.midpoint_ = (train.scale.low + train.scale.high) / 2 + self.shift

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Give the same answer to every pair, shape (m,)."""
        return np.full(len(users), self.midpoint_)


@dataclass(frozen=True)
class Within:
    """Share of test rows whose predicted rating is at most some stars off, in [0, 1]."""

    stars: float = 1.0

    contract: ClassVar[Contract] = Contract(
        title="share of predicted ratings at most some stars off",
        formula="|{(u,i): |p_ui - r_ui| <= stars}| / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="higher",
        averaging="all test rows alike (a user weighs as much as their rows)",
        cold_policy="cold users and items count like all others; rows without a prediction get the training mean",
        clipping="predictions are clipped to the rating scale",
        source="the manual of cfbench-example",
        unit="share",
        display=".1%",
    )

    def __post_init__(self) -> None:
        if self.stars < 0:
            raise ValueError(f"stars={self.stars}: expected a distance of at least 0")

    @property
    def name(self) -> str:
        return f"within-{self.stars:g}"

    def measure(self, evaluation: Evaluation) -> PerUser:
        near = np.abs(evaluation.errors) <= self.stars  # (m,)
        return evaluation.mean_over_rows(near)


@dataclass(frozen=True)
class EveryNth:
    """Tests on every n-th row of the data, learns from the others."""

    n: int = 5

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"n={self.n}: expected at least 2")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        if len(dataset) < self.n:
            raise DataError(f"every-nth: {dataset.name!r} has no {self.n} ratings; use a smaller n")
        tested = np.arange(len(dataset)) % self.n == self.n - 1
        return [Fold("", np.flatnonzero(~tested), np.flatnonzero(tested))]


@dataclass(frozen=True)
class WholeStars:
    """Rounds ratings to whole stars, halves up."""

    def apply(self, dataset: Dataset) -> Dataset:
        whole = np.floor(dataset.ratings + 0.5)
        return replace(dataset, ratings=np.clip(whole, dataset.scale.low, dataset.scale.high))
