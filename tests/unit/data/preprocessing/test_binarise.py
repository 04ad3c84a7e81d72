import pytest

from cfbench.data.preprocessing import Binarise
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

ROWS = [(0, 0, 5), (0, 1, 4), (1, 0, 3), (2, 2, 1)]


def test_relevant_ratings_become_one_and_the_others_zero(make_dataset):
    binary = Binarise().apply(make_dataset(ROWS))
    assert binary.ratings.tolist() == [1, 1, 0, 0]
    assert binary.ratings.dtype == "float32"
    assert (binary.scale, binary.relevant_from) == (RatingScale(0, 1), 1)


def test_a_threshold_of_ones_own_replaces_the_data_sets(make_dataset):
    assert Binarise(threshold=3).apply(make_dataset(ROWS)).ratings.tolist() == [1, 1, 1, 0]
    assert Binarise(threshold=4.5).apply(make_dataset(ROWS)).ratings.tolist() == [1, 0, 0, 0]


def test_what_is_not_relevant_can_be_dropped(make_dataset):
    binary = Binarise(keep="relevant").apply(make_dataset(ROWS, times=[1, 2, 3, 4]))
    assert binary.ratings.tolist() == [1, 1]
    assert binary.timestamps.tolist() == [1, 2]
    assert binary.users.ids.tolist() == ["u0"]


def test_binary_data_stays_as_it_is(make_dataset):
    once = Binarise().apply(make_dataset(ROWS))
    assert Binarise().apply(once).fingerprint == once.fingerprint


def test_a_threshold_that_nothing_reaches_is_refused(make_dataset):
    with pytest.raises(
        DataError, match=r"no rating of 'by-hand' reaches 6; its scale is 1 to 5: use a lower threshold"
    ):
        Binarise(threshold=6).apply(make_dataset(ROWS))


@pytest.mark.parametrize("threshold", ["4", True, float("nan"), float("inf")])
def test_a_threshold_that_is_no_rating_is_refused(threshold):
    with pytest.raises(ValueError, match=r"^threshold=.*: expected a finite rating$"):
        Binarise(threshold=threshold)


def test_another_way_of_keeping_is_refused():
    with pytest.raises(ValueError, match=r"^keep='none': expected 'all' or 'relevant'$"):
        Binarise(keep="none")
