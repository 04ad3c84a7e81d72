import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_baselines.bias import Bias
from cfbench_baselines.global_mean import GlobalMean
from cfbench_baselines.item_mean import ItemMean
from cfbench_baselines.popular import Popular
from cfbench_baselines.random_order import RandomOrder
from cfbench_baselines.user_mean import UserMean


@pytest.fixture
def train():
    """User 0 rates items 0, 1, 2 with 5, 3, 1; user 1 rates item 0 with 3. The mean is 3."""
    return Ratings(
        users=np.array([0, 0, 0, 1], dtype=np.int32),
        items=np.array([0, 1, 2, 0], dtype=np.int32),
        ratings=np.array([5, 3, 1, 3], dtype=np.float32),
        timestamps=None,
        n_users=2,
        n_items=3,
        scale=RatingScale(1, 5),
    )


def fitted(model, train, seed=0):
    model.fit(train, FitContext(seed=seed))
    return model


def codes(*values):
    return np.array(values, dtype=np.int32)


def test_global_mean_answers_every_pair_with_the_mean(train):
    model = fitted(GlobalMean(), train)
    assert model.predict(codes(0, 2), codes(3, 1)).tolist() == [3.0, 3.0]


def test_user_mean_is_the_mean_of_the_users_own_ratings_and_nan_for_a_stranger(train):
    model = fitted(UserMean(), train)
    np.testing.assert_array_equal(model.predict(codes(0, 1, 2), codes(3, 1, 0)), [3.0, 3.0, np.nan])
    assert np.isnan(model.score_items(codes(2))).all()


def test_item_mean_is_the_mean_of_the_items_ratings_and_nan_for_a_new_item(train):
    model = fitted(ItemMean(), train)
    np.testing.assert_array_equal(model.predict(codes(0, 2, 1), codes(0, 2, 3)), [4.0, 1.0, np.nan])
    np.testing.assert_array_equal(model.score_items(codes(0, 2)), [[4.0, 3.0, 1.0]] * 2)


def test_one_iteration_of_bias_is_the_sequential_closed_form(train):
    # b_i = (2 + 0) / (2 + 2), 0, -2 / (2 + 1); then user 0: (2 - 1/2) + 0 + (-2 + 2/3) = 1/6, over 1 + 3.
    model = fitted(Bias(damping_users=1, damping_items=2, iterations=1), train)
    assert model.biases_.items.tolist() == pytest.approx([1 / 2, 0, -2 / 3, 0])
    assert model.biases_.users.tolist() == pytest.approx([1 / 24, -1 / 4, 0])
    assert model.predict(codes(0, 2), codes(2, 0)).tolist() == pytest.approx([3 + 1 / 24 - 2 / 3, 3.5])


def test_many_undamped_iterations_of_bias_reach_the_least_squares_fit(train):
    model = fitted(Bias(damping_users=0, damping_items=0, iterations=200), train)
    # Four ratings, four free differences: an additive model fits them all.
    assert model.predict(train.users, train.items).tolist() == pytest.approx([5, 3, 1, 3])


def test_popular_scores_items_by_their_number_of_ratings(train):
    assert fitted(Popular(), train).score_items(codes(0, 2)).tolist() == [[2, 1, 1]] * 2


def test_random_order_does_not_depend_on_who_else_is_asked(train):
    model = fitted(RandomOrder(), train)
    together = model.score_items(codes(0, 1, 2))
    np.testing.assert_array_equal(together[1:2], model.score_items(codes(1)))


def test_random_order_differs_between_users_and_between_seeds(train):
    first, second = fitted(RandomOrder(), train, 1), fitted(RandomOrder(), train, 2)
    scores = np.concatenate([first.score_items(codes(0, 1)), second.score_items(codes(0, 1))])
    assert len(np.unique(scores)) == scores.size


def test_random_scores_are_uniform():
    wide = Ratings(
        users=codes(0, 1),
        items=codes(0, 1),
        ratings=np.ones(2, dtype=np.float32),
        timestamps=None,
        n_users=100,
        n_items=1000,
        scale=RatingScale(1, 5),
    )
    scores = fitted(RandomOrder(), wide, seed=7).score_items(np.arange(100, dtype=np.int32))
    shares = np.histogram(scores, bins=10, range=(0, 1))[0] / scores.size
    assert np.abs(shares - 0.1).max() < 0.005  # five standard deviations of a share are .0047
    assert np.abs(np.corrcoef(scores[:20])[np.triu_indices(20, 1)]).max() < 0.15
