import pytest

from cfbench.data.sources.columns import ColumnNames, Columns, looks_like_header
from cfbench.errors import DataError

BY_ALIAS = ColumnNames()


@pytest.mark.parametrize(
    "header",
    [
        ["userId", "movieId", "rating", "timestamp"],
        ["user_id:token", "item_id:token", "rating:float", "timestamp:float"],
        ["USER", "Item", "Score", "Time"],
        ["uid", "iid", "stars", "ts"],
        [" userID ", "movie-id", "Rating", "unix_time"],
    ],
)
def test_common_column_names_are_recognised_whatever_their_case(header):
    assert Columns.by_name(header, BY_ALIAS, "f.csv") == Columns(0, 1, 2, 3)


def test_columns_are_found_in_any_order_among_others():
    header = ["rating", "comment", "timestamp", "item_id", "user_id"]
    columns = Columns.by_name(header, BY_ALIAS, "f.csv")
    assert columns == Columns(user=4, item=3, rating=0, timestamp=2)


def test_a_named_column_wins_over_the_aliases():
    header = ["user", "item", "rating", "stars"]
    assert Columns.by_name(header, ColumnNames(rating="stars"), "f.csv").rating == 3


def test_a_missing_column_is_named_with_those_there_are_and_the_remedy():
    with pytest.raises(
        DataError, match=r"f\.csv: no column for item; the file has 'user', 'thing', .*item_column="
    ) as e:
        Columns.by_name(["user", "thing", "rating"], BY_ALIAS, "f.csv")
    assert "'rating'" in str(e.value)


def test_the_column_suggested_for_a_missing_role_is_one_that_no_other_role_took():
    with pytest.raises(DataError, match=r"e\.g\. rating_column=liking$"):
        Columns.by_name(["user", "item", "timestamp", "liking"], BY_ALIAS, "f.csv")
    with pytest.raises(DataError, match=r"has 'user', 'item', 'timestamp'; add a column for the rating$"):
        Columns.by_name(["user", "item", "timestamp"], BY_ALIAS, "f.csv")


def test_a_named_column_that_is_not_there_is_refused():
    with pytest.raises(DataError, match=r"user_column='who' is not among its columns: 'user', 'item', 'rating'"):
        Columns.by_name(["user", "item", "rating"], ColumnNames(user="who"), "f.csv")


def test_two_columns_of_one_name_are_ambiguous():
    with pytest.raises(DataError, match="'user_id' and 'userId' could both be the user"):
        Columns.by_name(["user_id", "userId", "item", "rating"], BY_ALIAS, "f.csv")


def test_without_a_header_the_order_is_user_item_rating_time():
    assert Columns.by_position(["1", "2", "3.5", "881250949"], "f") == Columns(0, 1, 2, 3)
    assert Columns.by_position(["1", "2", "3.5", "a comment"], "f") == Columns(0, 1, 2, None)
    with pytest.raises(DataError, match="at least user, item and rating, got 2"):
        Columns.by_position(["1", "2"], "f")


def test_without_a_header_a_time_in_the_place_of_the_rating_is_refused():
    with pytest.raises(DataError, match=r"the third column is the rating, got '881250949'.*user,item,timestamp,rating"):
        Columns.by_position(["1", "2", "881250949", "3.5"], "f")
    assert Columns.by_position(["1", "2", "50000"], "f") == Columns(0, 1, 2, None)


def test_a_header_is_a_row_without_any_number():
    assert looks_like_header(["user", "item", "rating"])
    assert looks_like_header(["a", "b", "c"])
    assert not looks_like_header(["u1", "i1", "4.5", "100"])
    assert not looks_like_header(["user", "item", "4"])
