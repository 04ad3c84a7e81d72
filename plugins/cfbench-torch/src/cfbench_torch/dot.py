"""``dot``: the dot product of a user vector and an item vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from cfbench.model import Ratings, require_choice, require_positive, require_whole
from cfbench_torch.matrix_factorization import Factors, initial_table
from cfbench_torch.training import NetworkModel


@dataclass
class DotProduct(NetworkModel, kind="cfbench-torch.dot.2", n_users_=int):
    """Dot product of user and item factors, optionally through a sigmoid range.

    rating(u, i) = p_u · q_i, or low + (high - low) sigmoid(p_u · q_i) with a range; squared error, Adam.
    Source: Funk 2006, "Netflix update: try this at home"; Koren, Bell, Volinsky 2009, "Matrix factorization
    techniques for recommender systems", without its biases.

    An unknown user or item has no vector, and a vector of zeros would only predict 0, or the middle of the
    range, whatever the data: the prediction is NaN.

    Attributes:
        n_factors: length k of the vectors.
        start: first values of the vectors: ``"normal"``, N(0, start_scale), or ``"uniform"``, U[0, start_scale).
        start_scale: see ``start``.
        untrained_unknown: give unknown users and items random first values, which weight decay alone changes, and
            predict with them, like networks that have a row for everyone, in training or not. The published notebooks
            did, and it is part of their errors: without a range a cold item is rated about 0. False: NaN.
        y_range, epochs, learning_rate and so on: see :class:`cfbench_torch.training.NetworkModel`.
    """

    n_factors: int = 50
    start: Literal["normal", "uniform"] = "normal"
    start_scale: float = 0.01
    untrained_unknown: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, 1, "n_factors")
        require_choice(self, ("normal", "uniform"), "start")
        require_positive(self, "start_scale")

    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw the vectors; those of the unknown are 0 unless ``untrained_unknown``."""
        self.n_users_ = train.n_users
        untrained = self.untrained_unknown
        table = initial_table(train, self.n_factors, generator, self.start, self.start_scale, untrained=untrained)
        return {"table": table}

    def network(self, tensors: Mapping[str, torch.Tensor]) -> Factors:
        """Return the factorisation with this table of vectors."""
        return Factors(tensors["table"], self.n_users_, self.n_factors, self.link_, untrained=self.untrained_unknown)
