import numpy as np
import pytest

from cfbench.data.splits.split import _ordered, rank_within, times_of
from cfbench.errors import DataError

GROUPS = np.array([2, 0, 2, 0, 2], dtype=np.int32)


def test_rows_are_ranked_by_time_within_their_group():
    times = np.array([30, 5, 10, 4, 20])
    assert rank_within(GROUPS, times, np.random.default_rng(0)).tolist() == [2, 1, 0, 0, 1]


def test_every_order_of_a_group_is_as_likely_at_random_and_among_equal_times():
    for times in (None, np.zeros(5, dtype=np.int64)):
        rng = np.random.default_rng(1)
        first = sum(rank_within(GROUPS, times, rng)[[0, 2, 4]] == 0 for _ in range(3_000))
        # 3,000 draws at 1/3: standard deviation 26; five of them on either side.
        assert np.all(np.abs(first - 1_000) < 130)


@pytest.mark.parametrize("times", [None, [5, -3, 5, 2, 5, 5], [2**62, -(2**62), 0, 2**62, 1, 0], [-9] * 6])
def test_the_order_is_by_group_then_time_then_chance_whatever_the_range_of_times(times):
    groups, chance = np.array([1, 0, 1, 0, 1, 1], dtype=np.int32), np.array([3, 0, 5, 1, 4, 2])
    moments = None if times is None else np.array(times, dtype=np.int64)
    keys = (chance, groups) if times is None else (chance, moments, groups)
    assert _ordered(groups, moments, chance).tolist() == np.lexsort(keys).tolist()


def test_no_rows_have_no_ranks():
    assert rank_within(np.array([], dtype=np.int32), None, np.random.default_rng(0)).tolist() == []


def test_missing_times_are_the_datas_fault_and_the_advice_is_the_splitters(make_dataset):
    with pytest.raises(DataError, match=r"x needs the time of every rating, and 'by-hand' has no timestamps; use y"):
        times_of(make_dataset([(0, 0, 3)]), "x", "use y")
