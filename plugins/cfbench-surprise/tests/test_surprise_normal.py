"""Random ratings have the mean and the deviation of training, and are the same when asked again."""

import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_surprise.normal import SurpriseNormal


def fitted(seed=1):
    users, items = np.divmod(np.arange(40_000, dtype=np.int32), 200)
    ratings = np.where(np.arange(40_000) % 4 == 0, 1, 5).astype(np.float32)  # mean 4, deviation sqrt(3)
    model = SurpriseNormal()
    model.fit(Ratings(users, items, ratings, None, 200, 200, RatingScale(1, 5)), FitContext(seed))
    return model


def test_draws_have_the_mean_and_the_deviation_of_the_training_ratings():
    drawn = fitted().score_items(np.arange(200, dtype=np.int32))
    assert drawn.mean() == pytest.approx(4, abs=0.05)
    assert drawn.std() == pytest.approx(np.sqrt(3), abs=0.05)


def test_a_seed_draws_the_same_and_another_does_not():
    pair = np.array([3], dtype=np.int32), np.array([7], dtype=np.int32)
    assert fitted().predict(*pair) == fitted().predict(*pair)
    assert fitted().predict(*pair) != fitted(seed=2).predict(*pair)
