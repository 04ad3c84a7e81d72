import pytest

from cfbench.data.preprocessing import MinimumRatings
from cfbench.errors import DataError

ROWS = [(0, 0, 3), (0, 1, 3), (1, 0, 3), (1, 2, 3), (2, 1, 3)]


def test_items_are_counted_among_the_users_who_remain_and_users_are_not_counted_again(make_dataset):
    # User 2 goes; of the rest item 1 has one rating (two before), so that users 0 and 1 keep one rating each.
    left = MinimumRatings(user=2, item=2).apply(make_dataset(ROWS))
    assert left.users.ids[left.user_index].tolist() == ["u0", "u1"]
    assert left.items.ids[left.item_index].tolist() == ["i0", "i0"]


def test_items_are_all_kept_where_nothing_is_asked_of_them(make_dataset):
    left = MinimumRatings(user=2).apply(make_dataset(ROWS))
    assert left.items.ids.tolist() == ["i0", "i1", "i2"]
    assert len(left) == 4


def test_nothing_left_says_so(make_dataset):
    with pytest.raises(DataError, match=r"minimum-ratings\[item=1,user=3\] leaves none of the 5 ratings of 'by-hand'"):
        MinimumRatings(user=3).apply(make_dataset(ROWS))


@pytest.mark.parametrize("params", [{"user": 0}, {"item": 1.5}, {"item": True}])
def test_minima_must_be_whole_numbers_of_at_least_one(params):
    with pytest.raises(ValueError, match=rf"^{next(iter(params))}=.*: expected a whole number of at least 1$"):
        MinimumRatings(**params)
