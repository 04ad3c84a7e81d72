import numpy as np
import pytest

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.splits.splitters import Holdout, KFold, Predefined, RepeatedHoldout, largest_family
from cfbench.errors import DataError, UnknownNameError
from cfbench.model.ratings import RatingScale


def dataset(n, folds=()):
    return Dataset(
        name="tiny",
        users=Entities(np.array(["a"])),
        items=Entities(np.array([f"i{row}" for row in range(n)])),
        user_index=np.zeros(n, dtype=np.int32),
        item_index=np.arange(n, dtype=np.int32),
        ratings=np.ones(n, dtype=np.float32),
        timestamps=None,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin("MIT", ""),
        folds={name: PublishedFold(np.array([at + 1, 0]), np.array([at + 2])) for at, name in enumerate(folds)},
    )


def test_holdout_holds_the_nearest_number_of_rows_out_in_data_order():
    (fold,) = Holdout(share=0.25).folds(dataset(11), seed=3)
    assert fold.name == ""
    assert (len(fold.train_rows), len(fold.test_rows)) == (8, 3)
    assert np.all(np.diff(fold.train_rows) > 0)
    assert np.all(np.diff(fold.test_rows) > 0)


def test_holdout_gives_every_row_the_same_chance():
    times = np.zeros(10)
    for seed in range(2_000):
        times[Holdout(share=0.3).folds(dataset(10), seed)[0].test_rows] += 1
    # 2,000 draws at 0.3: standard deviation 20.5; five of them on either side.
    assert np.all(np.abs(times - 600) < 103)


def test_a_holdout_is_pinned_so_that_published_splits_stay_what_they_are():
    (fold,) = Holdout(share=0.3).folds(dataset(10), seed=0)
    assert fold.test_rows.tolist() == [2, 4, 6]


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5, "half", True, float("nan")])
def test_holdout_refuses_a_share_outside_0_to_1(share):
    with pytest.raises(ValueError, match=r"^share=.*: expected a number above 0 and below 1$"):
        Holdout(share=share)


def test_holdout_refuses_to_make_an_empty_part():
    with pytest.raises(DataError, match=r"would hold 0 of 2 rows out"):
        Holdout(share=0.2).folds(dataset(2), seed=0)


def test_repeated_holdouts_are_independent_draws_of_one_size():
    folds = RepeatedHoldout(share=0.25, n_repeats=3).folds(dataset(40), seed=3)
    assert [fold.name for fold in folds] == ["1/3", "2/3", "3/3"]
    assert {len(fold.test_rows) for fold in folds} == {10}
    assert len({tuple(fold.test_rows) for fold in folds}) == 3
    assert all(not set(fold.train_rows) & set(fold.test_rows) for fold in folds)


def test_a_longer_series_of_holdouts_begins_with_the_same_draws():
    two, three = (RepeatedHoldout(n_repeats=n).folds(dataset(40), seed=3) for n in (2, 3))
    assert [fold.test_rows.tolist() for fold in two] == [fold.test_rows.tolist() for fold in three[:2]]


def test_a_random_state_fixes_the_draws_of_a_repeated_holdout_whatever_the_run():
    second = RepeatedHoldout(n_repeats=2, random_state=5).folds(dataset(40), seed=3)[1]
    assert second.test_rows.tolist() == Holdout().folds(dataset(40), seed=6)[0].test_rows.tolist()


@pytest.mark.parametrize("wrong", [{"n_repeats": 0}, {"n_repeats": 1.5}, {"share": 1}, {"random_state": -1}])
def test_a_repeated_holdout_refuses_what_is_no_division(wrong):
    with pytest.raises(ValueError, match=rf"^{next(iter(wrong))}=.*: expected "):
        RepeatedHoldout(**wrong)


def test_kfold_asks_about_every_row_once_in_parts_of_nearly_one_size():
    folds = KFold(k=3).folds(dataset(10), seed=1)
    assert [fold.name for fold in folds] == ["1/3", "2/3", "3/3"]
    assert sorted(len(fold.test_rows) for fold in folds) == [3, 3, 4]
    assert sorted(np.concatenate([fold.test_rows for fold in folds]).tolist()) == list(range(10))


@pytest.mark.parametrize("k", [1, 0, 2.5, "5", True])
def test_kfold_refuses_fewer_than_two_folds(k):
    with pytest.raises(ValueError, match=r"^k=.*: expected a whole number of at least 2$"):
        KFold(k=k)


def test_kfold_refuses_fewer_rows_than_folds():
    with pytest.raises(DataError, match="needs at least 5 rows, got 4"):
        KFold(k=5).folds(dataset(4), seed=0)


def test_predefined_takes_the_largest_family_in_published_order():
    folds = Predefined().folds(dataset(9, ["u1", "u2", "u3", "ua", "ub"]), seed=0)
    assert [fold.name for fold in folds] == ["u1", "u2", "u3"]
    assert folds[1].train_rows.tolist() == [2, 0]
    assert folds[1].test_rows.tolist() == [3]


def test_predefined_takes_the_folds_named_in_that_order():
    data = dataset(9, ["u1", "u2", "ua"])
    assert [fold.name for fold in Predefined(only="ua").folds(data, 0)] == ["ua"]
    assert [fold.name for fold in Predefined(only=("u2", "u1")).folds(data, 0)] == ["u2", "u1"]


def test_predefined_says_which_folds_there_are():
    with pytest.raises(UnknownNameError, match="unknown fold of tiny 'u9'; did you mean 'u2' or 'u1'"):
        Predefined(only="u9").folds(dataset(9, ["u1", "u2"]), 0)
    with pytest.raises(DataError, match="'tiny' comes without published folds"):
        Predefined().folds(dataset(9), 0)


@pytest.mark.parametrize("only", [5, ("u1", 2), ("u1", "u1")])
def test_predefined_refuses_what_names_no_folds(only):
    with pytest.raises(ValueError, match=r"^only "):
        Predefined(only=only)


def test_the_first_family_wins_a_tie():
    assert largest_family(["ua", "ub", "x1", "x2", "y1", "y2"]) == ("x1", "x2")
    assert largest_family([]) == ()
