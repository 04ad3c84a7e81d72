"""``dot-bias``: the dot product with user and item biases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from cfbench.model import Ratings, require, require_choice, require_positive, require_whole
from cfbench_torch.matrix_factorization import Factors, initial_table
from cfbench_torch.training import NetworkModel


@dataclass
class BiasedDotProduct(NetworkModel, kind="cfbench-torch.dot-bias.2", n_users_=int, offset_=float | None):
    """Dot product of user and item factors plus user and item biases.

    score(u, i) = offset + p_u · q_i + s (b_u + b_i); rating = score, or low + (high - low) sigmoid(score)
    with a range; squared error, Adam. Source: Koren, Bell, Volinsky 2009, "Matrix factorization techniques
    for recommender systems", section "Adding biases".

    With the default offset (the score of the training mean) everything not learned is 0, so an unknown user
    gets the item's bias about the mean, an unknown item the user's, and two unknowns the mean itself. Without
    an offset, as in the published notebooks, biases have to learn the mean as well, zeros mean nothing, and
    the unknown is NaN.

    Attributes:
        n_factors: length k of the vectors.
        start: first values of vectors and biases: ``"normal"``, N(0, start_scale), or ``"uniform"``,
            U[0, start_scale).
        start_scale: see ``start``.
        untrained_unknown: give unknown users and items random first values, which weight decay alone changes, and
            predict with them, like networks that have a row for everyone, in training or not. The published notebooks
            did, and it is part of their errors: without a range a cold item is rated about 0. False: zeros
            or NaN, as above.
        offset: ``"mean"``: the score whose rating is the training mean; ``"none"``: 0.
        bias_scale: s above; biases learn s times as fast as factors, and weight decay acts s times less on
            them. 1 is the published model; the larger it is, the more of the ratings is left to the biases, which
            is what users and items with few ratings need.
        user_dropout: share of a user's factors left out at random in each training row, in [0, 1).
        item_dropout: the same for the item's factors.
        epochs, learning_rate and so on: see :class:`cfbench_torch.training.TrainingParameters`.
    """

    n_factors: int = 50
    start: Literal["normal", "uniform"] = "normal"
    start_scale: float = 0.01
    untrained_unknown: bool = False
    offset: Literal["mean", "none"] = "mean"
    bias_scale: float = 8.0
    user_dropout: float = 0.0
    item_dropout: float = 0.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.2
    fewest_steps: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, 1, "n_factors")
        require_choice(self, ("normal", "uniform"), "start")
        require_choice(self, ("mean", "none"), "offset")
        require_positive(self, "start_scale", "bias_scale")
        require(self, lambda share: 0 <= share < 1, "a share from 0 to below 1", "user_dropout", "item_dropout")

    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw vectors and biases; those of the unknown are 0 unless ``untrained_unknown``."""
        self.n_users_ = train.n_users
        self.offset_ = self.link_.score(train.mean) if self.offset == "mean" else None
        untrained = self.untrained_unknown
        table = initial_table(train, self.n_factors + 1, generator, self.start, self.start_scale, untrained=untrained)
        return {"table": table}

    def network(self, tensors: Mapping[str, torch.Tensor]) -> Factors:
        """Return the factorisation with this table of vectors and biases."""
        return Factors(
            tensors["table"],
            self.n_users_,
            self.n_factors,
            self.link_,
            offset=self.offset_,
            bias_scale=self.bias_scale,
            dropout=(self.user_dropout, self.item_dropout),
            untrained=self.untrained_unknown,
        )
