import numpy as np
import pytest

from cfbench.data.splits.splitters import LeaveOneOut
from cfbench.errors import DataError

ROWS = [(0, 0, 3), (1, 0, 3), (0, 1, 3), (2, 0, 3), (1, 1, 3), (0, 2, 3)]  # users 0, 1, 2 have 3, 2, 1 ratings


def test_by_time_the_latest_rating_of_each_user_with_two_is_held_out(make_dataset):
    data = make_dataset(ROWS, times=[9, 4, 7, 99, 5, 8])
    (fold,) = LeaveOneOut(by="time").folds(data, seed=0)
    assert fold.test_rows.tolist() == [0, 4]
    assert fold.train_rows.tolist() == [1, 2, 3, 5]


def test_at_random_every_rating_of_a_user_has_the_same_chance(make_dataset):
    data = make_dataset(ROWS)
    times = np.zeros(6)
    for seed in range(1_200):
        (fold,) = LeaveOneOut().folds(data, seed)
        times[fold.test_rows] += 1
    # 1,200 draws at 1/3 and at 1/2: standard deviations 16.3 and 17.3; five of them on either side.
    assert np.all(np.abs(times - [400, 600, 400, 0, 600, 400]) < 87)


def test_among_the_latest_of_one_time_the_seed_decides_and_not_the_order_of_rows(make_dataset):
    data = make_dataset([(0, 0, 3), (0, 1, 3), (0, 2, 3), (0, 3, 3)], times=[1, 7, 7, 7])
    drawn = [LeaveOneOut(by="time").folds(data, seed)[0].test_rows.tolist()[0] for seed in range(60)]
    assert set(drawn) == {1, 2, 3}


def test_users_with_a_single_rating_each_cannot_be_tested(make_dataset):
    with pytest.raises(DataError, match="no user of 'by-hand' has two ratings"):
        LeaveOneOut().folds(make_dataset([(0, 0, 3), (1, 0, 3)]), 0)


def test_by_time_needs_times(make_dataset):
    with pytest.raises(DataError, match=r"leave-one-out\[by=time\] needs the time.*use by=random"):
        LeaveOneOut(by="time").folds(make_dataset(ROWS), 0)


def test_another_order_is_refused():
    with pytest.raises(ValueError, match=r"^by='rating': expected 'random' or 'time'$"):
        LeaveOneOut(by="rating")
