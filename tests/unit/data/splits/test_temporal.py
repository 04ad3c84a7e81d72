import pytest

from cfbench.data.splits.splitters import Temporal, seconds_since_1970
from cfbench.errors import DataError

NEW_YEAR_2014 = 1_388_534_400


def at(make_dataset, *times):
    return make_dataset([(0, item, 3) for item in range(len(times))], times=times)


def test_the_latest_share_of_the_rows_is_the_test(make_dataset):
    (fold,) = Temporal(share=0.4).folds(at(make_dataset, 50, 10, 40, 20, 30), seed=0)
    assert fold.test_rows.tolist() == [0, 2]
    assert fold.train_rows.tolist() == [1, 3, 4]


def test_a_fifth_is_tested_where_nothing_is_said(make_dataset):
    (fold,) = Temporal().folds(at(make_dataset, 50, 10, 40, 20, 30), seed=0)
    assert fold.test_rows.tolist() == [0]


def test_rows_of_the_cuts_own_time_all_go_to_the_test(make_dataset):
    (fold,) = Temporal(share=0.2).folds(at(make_dataset, 10, 40, 20, 40, 40), seed=0)
    assert fold.train_rows.tolist() == [0, 2]
    assert fold.test_rows.tolist() == [1, 3, 4]


@pytest.mark.parametrize("after", ["2014-01-01", "2014-01-01T01:00:00+01:00", NEW_YEAR_2014])
def test_the_moment_itself_belongs_to_the_test(make_dataset, after):
    data = at(make_dataset, NEW_YEAR_2014, NEW_YEAR_2014 - 1, NEW_YEAR_2014 + 1)
    (fold,) = Temporal(after=after).folds(data, seed=0)
    assert fold.train_rows.tolist() == [1]
    assert fold.test_rows.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [("1970-01-02", 86_400), ("1969-12-31", -86_400), ("1970-01-01T00:00:01.5", 2), ("1970-01-01T00:01Z", 60), (7, 7)],
)
def test_moments_are_read_in_utc_and_parts_of_a_second_rounded_up(moment, seconds):
    assert seconds_since_1970(moment) == seconds


def test_a_cut_outside_the_data_names_the_cut_and_the_datas_span(make_dataset):
    data = at(make_dataset, NEW_YEAR_2014, NEW_YEAR_2014 + 60)
    with pytest.raises(
        DataError,
        match=r"cut at 1970-01-01T00:33:34Z, 'by-hand' would have 0 training and 2 test rows.*"
        r"run from 2014-01-01T00:00:00Z to 2014-01-01T00:01:00Z",
    ):
        Temporal(after=2014).folds(data, seed=0)
    with pytest.raises(DataError, match=r"2 training and 0 test rows"):
        Temporal(after="2020-01-01").folds(data, seed=0)
    with pytest.raises(DataError, match=r"cut at 1000000000000000 seconds since 1970"):
        Temporal(after=10**15).folds(data, seed=0)


def test_ratings_of_a_single_moment_cannot_be_cut(make_dataset):
    with pytest.raises(DataError, match="0 training and 3 test rows"):
        Temporal().folds(at(make_dataset, 5, 5, 5), seed=0)


def test_data_without_times_is_sent_to_another_splitter(make_dataset):
    with pytest.raises(DataError, match=r"temporal needs the time.*e\.g\. holdout"):
        Temporal().folds(make_dataset([(0, 0, 3), (0, 1, 3)]), seed=0)


@pytest.mark.parametrize(
    "params", [{"share": 1}, {"share": "0.2"}, {"after": "spring"}, {"after": True}, {"after": 1.5}]
)
def test_parameters_that_name_no_cut_are_refused(params):
    with pytest.raises(ValueError, match=rf"^{next(iter(params))}(=| must be)"):
        Temporal(**params)


def test_two_cuts_are_one_too_many():
    with pytest.raises(ValueError, match=r"share or after, not both; got 0\.2 and 5"):
        Temporal(share=0.2, after=5)


def test_only_temporal_promises_time_order():
    assert Temporal.in_time_order is True
