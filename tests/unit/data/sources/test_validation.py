import numpy as np
import pytest

from cfbench.data.sources.ratings_file import RatingsFile
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings, validated
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

STARS = RatingScale(1, 5)


def raw(users, items, ratings, timestamps=None):
    def ids(index):
        return IdColumn(np.array(["a", "b", "c"]), np.array(index, dtype=np.int32))

    times = None if timestamps is None else np.array(timestamps, dtype=np.float64)
    values = np.array(ratings, dtype=np.float32)
    return RawRatings(ids(users), ids(items), values, times, "r.csv", lambda row: f"line {row + 2}")


REPEATED = {
    "users": [0, 1, 0, 1, 0],
    "items": [0, 0, 1, 1, 0],
    "ratings": [1, 2, 3, 4, 4],
    "timestamps": [9, 1, 2, 3, 4],
}


def kept(policy):
    result = validated(raw(**REPEATED), STARS, policy)
    return list(
        zip(result.users.index.tolist(), result.items.index.tolist(), result.ratings.tolist(), strict=True)
    ), result


def test_valid_rows_pass_unchanged():
    given = raw([0, 1], [1, 0], [1, 5])
    assert validated(given, STARS, "error") is given


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (raw([], [], []), r"r\.csv has no ratings"),
        (raw([0, -1], [0, 1], [1, 2]), r"r\.csv, line 3: no user; fill it in or remove the row \(the only such row\)"),
        (raw([0, 1, 1], [0, -1, -1], [1, 2, 3]), r"line 3: no item; .* \(2 such rows\)"),
        (raw([0, 1], [0, 1], [1, np.nan]), r"line 3: no rating"),
        (raw([0, 1], [0, 1], [np.inf, 2]), r"line 2: the rating is inf, expected a finite number"),
        (raw([0, 1], [0, 1], [1, 2], [5, np.nan]), r"line 3: no timestamp"),
        (raw([0, 1], [0, 1], [1, 5.5]), r"line 3: rating 5\.5 is off the declared scale 1 to 5"),
        (raw([0, 1], [0, 1], [0, 5]), r"line 2: rating 0 is off the declared scale 1 to 5"),
        (raw([0, 0], [0, 1], [1, 2]), r"one user only \('a'\).*user_column"),
        (raw([0, 1], [2, 2], [1, 2]), r"one item only \('c'\).*item_column"),
    ],
)
def test_a_broken_rule_names_file_line_and_remedy(rows, message):
    with pytest.raises(DataError, match=message):
        validated(rows, STARS, "error")


def test_repeated_pairs_are_refused_by_default_with_both_lines():
    with pytest.raises(DataError, match=r"line 6: user 'a' rates item 'a' again, first in line 2; .*duplicates=first"):
        kept("error")


def test_first_and_last_keep_that_row_in_file_order():
    assert kept("first")[0] == [(0, 0, 1.0), (1, 0, 2.0), (0, 1, 3.0), (1, 1, 4.0)]
    assert kept("last")[0] == [(1, 0, 2.0), (0, 1, 3.0), (1, 1, 4.0), (0, 0, 4.0)]


def test_mean_averages_at_the_first_rows_place_with_the_latest_time():
    rows, result = kept("mean")
    assert rows == [(0, 0, 2.5), (1, 0, 2.0), (0, 1, 3.0), (1, 1, 4.0)]
    assert result.timestamps.tolist() == [9, 1, 2, 3]


def test_keep_leaves_every_row():
    assert len(kept("keep")[0]) == 5


def test_rows_dropped_as_duplicates_do_not_shift_the_lines_of_messages():
    assert kept("last")[1].place(0) == "line 3"


def test_a_scale_that_float32_cannot_hold_exactly_accepts_its_own_ends():
    validated(raw([0, 1], [0, 1], [0.1, 0.7]), RatingScale(0.1, 0.7), "error")


def test_an_unknown_policy_lists_the_known_ones():
    with pytest.raises(ValueError, match="'drop': expected 'error' or 'first' or 'last' or 'mean' or 'keep'"):
        RatingsFile("x.csv", duplicates="drop")
