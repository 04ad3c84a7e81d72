import numpy as np
import pytest

from cfbench.data.splits.cold_entities import ColdItems, ColdUsers
from cfbench.data.splits.split import Split
from cfbench.errors import DataError
from cfbench.registry.registry import Registry
from cfbench.spec import Spec

ROWS = [(0, 0, 3), (0, 1, 3), (0, 2, 3), (0, 3, 3), (1, 0, 3), (1, 1, 3)]  # user 0 has 4 ratings, user 1 has 2
TIMES = [40, 10, 30, 20, 1, 2]


def test_the_earliest_ratings_are_given_back_one_fold_per_number(make_dataset):
    splitter = ColdUsers(given=(2, 0, 1), order="time")
    folds = splitter.folds(make_dataset(ROWS, times=TIMES), seed=0)
    assert [(fold.name, fold.n_given) for fold in folds] == [("s=0", 0), ("s=1", 1), ("s=2", 2)]
    assert [fold.train_rows.tolist() for fold in folds] == [[4, 5], [1, 4, 5], [1, 3, 4, 5]]
    assert [fold.test_rows.tolist() for fold in folds] == [[0, 2]] * 3


def test_items_are_held_out_likewise(make_dataset):
    rows = [(item, user, stars) for user, item, stars in ROWS]
    folds = ColdItems(given=(0, 2), order="time").folds(make_dataset(rows, times=TIMES), seed=0)
    assert [fold.train_rows.tolist() for fold in folds] == [[4, 5], [1, 3, 4, 5]]
    assert [fold.test_rows.tolist() for fold in folds] == [[0, 2]] * 2


def test_held_out_users_are_unknown_until_a_rating_is_given_back(make_dataset):
    data = make_dataset(ROWS)
    nothing, one = (Split.of(data, "s", fold) for fold in ColdUsers(given=(0, 1)).folds(data, seed=5))
    assert (nothing.n_given, one.n_given) == (0, 1)
    assert nothing.test.users.tolist() == [nothing.train.n_users] * len(nothing.test)
    assert one.train.user_counts[one.test.users].tolist() == [1] * len(one.test)


@pytest.mark.parametrize("splitter", [ColdUsers(share=0.3, given=(0, 1, 3)), ColdItems(share=0.3, given=(0, 1, 3))])
def test_the_share_is_of_the_eligible_entities_and_the_others_stay_whole(make_dataset, splitter):
    # 10 users and 10 items with 4 ratings or more, and as many with fewer.
    rows = [(n, (n + shift) % 10, 3) for n in range(10) for shift in range(4)]
    rows += [(10 + n, 10 + n, 3) for n in range(10)]
    data = make_dataset(rows)
    entities = data.user_index if splitter.entity == "user" else data.item_index
    for seed in range(5):
        folds = splitter.folds(data, seed)
        held_out = np.unique(entities[folds[0].test_rows])
        assert len(held_out) == 3
        assert held_out.max() < 10
        for fold in folds:
            back = np.bincount(entities[fold.train_rows], minlength=20)
            assert back[held_out].tolist() == [fold.n_given] * 3
            assert np.delete(back, held_out).tolist() == [4] * 7 + [1] * 10


def test_at_least_one_entity_is_held_out(make_dataset):
    (fold,) = ColdUsers(share=0.01, given=(0,)).folds(make_dataset(ROWS), seed=0)
    assert len(np.unique(make_dataset(ROWS).user_index[fold.test_rows])) == 1


def test_at_random_every_rating_has_the_same_chance_to_be_given_back(make_dataset):
    times = np.zeros(6)
    for seed in range(2_000):
        (fold,) = ColdUsers(given=(2,)).folds(make_dataset(ROWS), seed)
        times[fold.test_rows] += 1
    # User 0 alone has more than two ratings; 2,000 draws at 1/2: standard deviation 22; five of them on either side.
    assert np.all(np.abs(times[:4] - 1_000) < 112)
    assert times[4:].tolist() == [0, 0]


def test_where_nobody_has_enough_ratings_it_says_how_many_are_needed(make_dataset):
    with pytest.raises(
        DataError,
        match=r"no user of 'by-hand' has the 11 ratings it takes to give 10 back and be tested; .* one has is 4",
    ):
        ColdUsers().folds(make_dataset(ROWS), seed=0)
    with pytest.raises(DataError, match=r"no item of 'by-hand' has the 3 ratings .* one has is 2: give fewer back"):
        ColdItems(given=(2,)).folds(make_dataset(ROWS), seed=0)


def test_holding_everything_out_is_refused(make_dataset):
    with pytest.raises(DataError, match=r"cold-users\[share=0.2\] would hold every user of 'by-hand' out"):
        ColdUsers(given=(0, 1)).folds(make_dataset(ROWS[:4]), seed=0)


def test_by_time_needs_times(make_dataset):
    with pytest.raises(DataError, match=r"cold-items\[order=time\] needs the time.*use order=random"):
        ColdItems(given=(1,), order="time").folds(make_dataset(ROWS), seed=0)


@pytest.mark.parametrize("given", [(), (0, 0), (1, -1), (1.0,), (True,), 5, "0,1"])
def test_what_is_no_list_of_different_numbers_is_refused(given):
    with pytest.raises(ValueError, match=r"^given=.*: expected a list of different whole numbers"):
        ColdUsers(given=given)


@pytest.mark.parametrize("params", [{"share": 0}, {"order": "rating"}])
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=rf"^{next(iter(params))}=.*: expected "):
        ColdItems(**params)


@pytest.mark.parametrize("name", ["cold-users", "cold-items"])
def test_the_parameters_are_read_from_the_common_base(name):
    parameters = Registry.discover().parameters("splitter", Spec.parse(f"{name}[given=[0,3]]"))
    assert parameters == {"share": 0.2, "given": (0, 3), "order": "random"}
