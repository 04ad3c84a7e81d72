import numpy as np
import pytest

from cfbench.data.splits.splitters import PerUserHoldout
from cfbench.errors import DataError


def users_with(make_dataset, *counts):
    return make_dataset([(user, item, 3) for user, count in enumerate(counts) for item in range(count)])


def held_out_of_each_user(data, splitter):
    (fold,) = splitter.folds(data, seed=0)
    assert sorted([*fold.train_rows, *fold.test_rows]) == list(range(len(data)))
    assert np.all(np.diff(fold.train_rows) > 0)
    assert np.all(np.diff(fold.test_rows) > 0)
    return np.bincount(data.user_index[fold.test_rows], minlength=len(data.users)).tolist()


def test_each_user_gives_the_nearest_number_of_ratings_halves_up(make_dataset):
    # 0.25 x 5 = 1.25, x 6 = 1.5, x 7 = 1.75, x 9 = 2.25
    data = users_with(make_dataset, 5, 6, 7, 9)
    assert held_out_of_each_user(data, PerUserHoldout(share=0.25)) == [1, 2, 2, 2]


def test_a_user_gives_at_least_one_rating_and_keeps_at_least_one(make_dataset):
    data = users_with(make_dataset, 2, 3)
    assert held_out_of_each_user(data, PerUserHoldout(share=0.1, minimum=2)) == [1, 1]
    assert held_out_of_each_user(data, PerUserHoldout(share=0.9, minimum=2)) == [1, 2]


def test_users_below_the_minimum_stay_in_training_whole(make_dataset):
    data = users_with(make_dataset, 4, 5, 1)
    assert held_out_of_each_user(data, PerUserHoldout(share=0.4)) == [0, 2, 0]
    assert held_out_of_each_user(data, PerUserHoldout(share=0.5, minimum=4)) == [2, 3, 0]


def test_every_rating_of_a_user_has_the_same_chance(make_dataset):
    data = users_with(make_dataset, 5, 5)
    times = np.zeros(10)
    for seed in range(2_000):
        times[PerUserHoldout(share=0.2).folds(data, seed)[0].test_rows] += 1
    # 2,000 draws at 0.2: standard deviation 18; five of them on either side.
    assert np.all(np.abs(times - 400) < 90)


def test_where_nobody_would_be_tested_it_says_how_many_ratings_the_most_active_has(make_dataset):
    with pytest.raises(DataError, match=r"minimum=5.*the most active user of 'by-hand' has 4 ratings.*lower minimum"):
        PerUserHoldout().folds(users_with(make_dataset, 4, 2), 0)


@pytest.mark.parametrize("params", [{"share": 0}, {"share": 1.0}, {"share": True}, {"minimum": 1}, {"minimum": 2.0}])
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=rf"^{next(iter(params))}=.*: expected "):
        PerUserHoldout(**params)
