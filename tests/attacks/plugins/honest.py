"""Honest models of a distribution that also attacks are in, or beside them."""

from dataclasses import dataclass

import numpy as np


@dataclass
class HonestNoise:
    """Item means with noise from the seed."""

    noise: float = 0.01

    def fit(self, train, context):
        self.scores_ = context.rng().normal(train.mean, self.noise, train.n_items + 1)

    def predict(self, users, items):
        return self.scores_[items]

    def score_items(self, users):
        return np.tile(self.scores_[:-1], (len(users), 1))
