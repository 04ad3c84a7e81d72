import numpy as np
import pytest

from cfbench.data.sources.plain_numbers import Numbering, append


def numbered(*parts, cells=100):
    numbering = Numbering(cells)
    for part in parts:
        numbering.add(np.array(part, dtype=np.int64))
    return numbering.column()


def test_ids_are_texts_in_order_of_first_appearance_and_each_row_keeps_its_own():
    column = numbered([30, 4, 30], [0, 4, 7, 0])
    assert column.labels.tolist() == ["30", "4", "0", "7"]
    assert column.index.tolist() == [0, 1, 0, 2, 1, 3, 2]
    assert column.index.dtype == np.int32
    assert column.in_order


@pytest.mark.parametrize("high", [99, 100, 101, 10**18, 2**63 - 1])
def test_an_id_beyond_the_table_is_told_apart_as_well(high):
    column = numbered([3, 8, 8], [high, 3, 5], [high, 5])
    assert column.labels.tolist() == ["3", "8", str(high), "5"]
    assert column.index.tolist() == [0, 1, 1, 2, 0, 3, 2, 3]
    assert column.in_order


def test_the_table_grows_with_the_ids_and_keeps_their_codes():
    parts = [[5], [70_000, 5], [5, 300_000, 70_000]]
    column = numbered(*parts, cells=1 << 20)
    assert column.labels.tolist() == ["5", "70000", "300000"]
    assert column.index.tolist() == [0, 1, 0, 0, 2, 1]


@pytest.mark.parametrize("cells", [0, 50, 1 << 30])
def test_many_ids_get_the_same_codes_in_parts_and_at_once_whatever_the_table(cells):
    ids = np.random.default_rng(3).integers(0, 99, 2_000)
    parts = np.split(ids, [1, 2, 40, 1_000])
    distinct, first = np.unique(ids, return_index=True)
    column = numbered(*parts, cells=cells)
    assert column.labels.tolist() == [str(one) for one in distinct[np.argsort(first)]]
    assert column.labels[column.index].tolist() == [str(one) for one in ids]


@pytest.mark.parametrize("ends", [[], [6], [2, 2, 5], [0, 1, 2, 3, 4, 5], [1_000]])
def test_parts_are_put_together_wherever_they_end(ends):
    rows = np.empty(0, dtype=np.int32)
    wanted = np.arange(100, dtype=np.int64)
    for part in np.split(wanted, ends):
        append(rows, part)
    assert rows.tolist() == wanted.tolist()
    assert rows.dtype == np.int32


def test_rows_that_came_before_are_as_they_were_when_large_parts_follow():
    rows = np.empty(0, dtype=np.float32)
    append(rows, np.ones(3))
    append(rows, np.full(1 << 20, 7.0))
    assert rows[:4].tolist() == [1.0, 1.0, 1.0, 7.0]
    assert (len(rows), rows[-1]) == (3 + (1 << 20), 7.0)
