import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_surprise.co_clustering import SurpriseCoClustering
from cfbench_surprise.slope_one import SurpriseSlopeOne
from cfbench_surprise.whole_ratings import whole_ratings


def train_on(ratings, n_users=12, n_items=9):
    rng = np.random.default_rng(1)
    users, items = np.argwhere(rng.random((n_users, n_items)) < 0.7).astype(np.int32).T
    grid = rng.choice(np.asarray(ratings, dtype=np.float32), len(users))
    return Ratings(users, items, grid, None, n_users, n_items, RatingScale(0.5, 5))


@pytest.mark.parametrize(
    ("ratings", "units"),
    [((1, 5), 1), ((0.5, 4), 2), ((1.2, 3.4), 5), ((0.7, 2.9), 10), ((1 / 3, 2 / 3), 1000)],
)
def test_the_smallest_unit_that_makes_ratings_whole_is_found(ratings, units):
    whole, found = whole_ratings(np.array(ratings, dtype=np.float32))
    assert found == units
    np.testing.assert_allclose(whole / units, ratings, atol=0.5 / 1000)
    np.testing.assert_array_equal(whole, np.rint(whole))


def test_slope_one_learns_half_stars_exactly():
    # Two users differ by 1.5 and 2.5 between items 0 and 1, in the mean 2; the third has rated item 0 with 2.5.
    train = Ratings(
        users=np.array([0, 0, 1, 1, 2], dtype=np.int32),
        items=np.array([0, 1, 0, 1, 0], dtype=np.int32),
        ratings=np.array([1.5, 3, 2, 4.5, 2.5], dtype=np.float32),
        timestamps=None,
        n_users=3,
        n_items=2,
        scale=RatingScale(0.5, 5),
    )
    model = SurpriseSlopeOne()
    model.fit(train, FitContext(seed=0))
    assert model.predict(np.array([2], dtype=np.int32), np.array([1], dtype=np.int32)) == pytest.approx([4.5])


@pytest.mark.parametrize("model", [SurpriseSlopeOne, SurpriseCoClustering], ids=lambda cls: cls.__name__)
def test_halving_all_ratings_halves_all_predictions(model):
    stars = train_on([1, 3, 5, 7, 9])
    halves = Ratings(stars.users, stars.items, stars.ratings / 2, None, stars.n_users, stars.n_items, stars.scale)

    def answers(train):
        fitted = model()
        fitted.fit(train, FitContext(seed=4))
        return fitted.score_items(np.arange(train.n_users, dtype=np.int32))

    np.testing.assert_allclose(answers(halves), answers(stars) / 2, atol=1e-9)
