"""Biases that start from features: hand-computed, and what becomes of them without features."""

import numpy as np
import pytest

from cfbench.model import Features, FitContext, Ratings, RatingScale
from cfbench_baselines.bias import Bias
from cfbench_baselines.feature_mean import FeatureMean


def codes(*values):
    return np.array(values, dtype=np.int32)


def training(item_features=None, user_features=None):
    """Four users give items 0 and 1 five stars and one; user 0 gives item 2 three. The mean is 3."""
    return Ratings(
        users=codes(0, 1, 2, 3, 0, 1, 2, 3, 0),
        items=codes(0, 0, 0, 0, 1, 1, 1, 1, 2),
        ratings=np.array([5, 5, 5, 5, 1, 1, 1, 1, 3], dtype=np.float32),
        timestamps=None,
        n_users=4,
        n_items=3,
        scale=RatingScale(1, 5),
        user_features=user_features,
        item_features=item_features,
    )


def genres(*texts):
    return Features({"genres": np.array(texts)})


def fitted(train, **params):
    model = FeatureMean(**params)
    model.fit(train, FitContext(seed=0))
    return model


BY_HAND = {"damping_users": 1, "damping_items": 2, "damping_features": 1, "iterations": 1}


def test_one_iteration_by_hand():
    # Items: S = 8, -8, 0; m = 2, -2, 0; roots of n = 2, 2, 1.
    # Effects, d = 1: Comedy = (2 * 2 + 1 * 0) / (1 + 3) = 1; Drama = 2 * -2 / (1 + 2) = -4/3.
    # Biases, l = 2: (8 + 2) / 6, (-8 - 8/3) / 6, (0 + 2) / 3.
    model = fitted(training(genres("Comedy", "Drama", "Comedy")), **BY_HAND)
    assert model.item_effects_.effects.tolist() == pytest.approx([1, -4 / 3])
    assert model.biases_.items.tolist() == pytest.approx([5 / 3, -16 / 9, 2 / 3, 0])
    # Users, l = 1: user 0 has left over (2 - 5/3) + (-2 + 16/9) - 2/3 = -5/9 of 3 ratings, the others 1/9 of 2.
    assert model.biases_.users.tolist() == pytest.approx([-5 / 36, 1 / 27, 1 / 27, 1 / 27, 0])


def test_a_newcomer_has_the_mean_of_its_values_and_the_unknown_nothing():
    model = fitted(training(genres("Comedy", "Drama", "Comedy")), **BY_HAND)
    before = model.predict(codes(4, 4), codes(0, 3))
    model.add_cold_entities(None, genres("Drama", "Comedy|Drama", "Western"))
    answers = model.predict(codes(4, 4, 4, 4, 4), codes(0, 3, 4, 5, 6))
    assert answers.tolist() == pytest.approx([3 + 5 / 3, 3 - 4 / 3, 3 - 1 / 6, 3, 3])
    assert before.tolist() == pytest.approx([3 + 5 / 3, 3])
    assert model.score_items(codes(4)).tolist()[0] == pytest.approx([3 + 5 / 3, 3 - 16 / 9, 3 + 2 / 3])


def test_columns_share_out_what_they_explain():
    # Both columns say the same of every item: the second explains what damping kept the first from explaining.
    features = Features({"genres": np.array(["c", "d", "c"]), "year": np.array([1.0, 2.0, 1.0])})
    model = fitted(training(features), **BY_HAND)
    # Comedies: (2 (2 - 1) + 1 (0 - 1)) / (1 + 3); Drama: 2 (-2 + 4/3) / (1 + 2).
    assert model.item_effects_.effects.tolist() == pytest.approx([1, -4 / 3, 1 / 4, -4 / 9])


@pytest.mark.parametrize("damping", [0, 5])
def test_without_features_it_is_bias(damping):
    train = training()
    model = fitted(train, damping_users=damping, damping_items=damping)
    bias = Bias(damping_users=damping, damping_items=damping)
    bias.fit(train, FitContext(seed=0))
    users, items = codes(0, 1, 4, 4), codes(2, 0, 1, 3)
    assert model.predict(users, items).tolist() == bias.predict(users, items).tolist()


def test_newcomers_on_a_side_whose_training_had_no_features_are_unknown():
    model = fitted(training())
    model.add_cold_entities(genres("a", "b"), None)
    assert model.predict(codes(4, 5, 6), codes(3, 3, 3)).tolist() == [3, 3, 3]


def test_undamped_biases_and_effects_make_sense():
    model = fitted(training(genres("Comedy", "", "Drama")), damping_users=0, damping_items=0, damping_features=0)
    assert np.isfinite(model.biases_.items).all()


def test_nonsense_damping_is_refused():
    with pytest.raises(ValueError, match="damping_features=-1: expected"):
        FeatureMean(damping_features=-1)
