"""Damped user and item biases as a model."""

from __future__ import annotations

from dataclasses import dataclass

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved, require_at_least, require_whole
from cfbench_baselines.damped_biases import DampedBiases, damped_biases


@dataclass
class Bias(Saved, kind="cfbench-baselines.bias.2", biases_=DampedBiases):
    """Predicts the training mean plus damped user and item biases.

    ``r(u, i) = mu + b_u + b_i``, fitted by alternating least squares with damping (formula:
    :func:`cfbench_baselines.damped_biases.damped_biases`). Unknown users and items have the bias 0, to which
    damping shrinks whatever is seen little. Koren, "Factor in the neighbors", TKDD 2010, section 2.1; Funk,
    "Netflix update: try this at home", 2006.

    Attributes:
        damping_users: ratings at which a user's bias is halved; 0 is no damping.
        damping_items: ratings at which an item's bias is halved.
        iterations: alternations; 1 is the sequential closed form.
    """

    damping_users: float = 5.0
    damping_items: float = 5.0
    iterations: int = 10

    def __post_init__(self) -> None:
        require_at_least(self, 0, "damping_users", "damping_items")
        require_whole(self, 1, "iterations")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit the biases; no randomness."""
        self.biases_ = damped_biases(
            train,
            damping_users=self.damping_users,
            damping_items=self.damping_items,
            iterations=self.iterations,
        )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i``, shape (m,)."""
        return self.biases_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return ``mu + b_u + b_i`` for every item, shape (b, n_items): one order of items for all users."""
        return self.biases_.of_rows(users)
