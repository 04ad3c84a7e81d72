import numpy as np
import pytest

from cfbench.data.sources.growing import Growing


@pytest.mark.parametrize("expected", [0, 1, 5, 6, 1_000])
def test_parts_are_put_together_whatever_number_of_rows_was_expected(expected):
    column = Growing(np.int32, expected)
    for part in ([1, 2], [], [3, 4, 5], [6]):
        column.add(np.array(part, dtype=np.int64))
    rows = column.taken()
    assert rows.tolist() == [1, 2, 3, 4, 5, 6]
    assert rows.dtype == np.int32


def test_rows_that_were_taken_are_no_longer_there():
    column = Growing(np.float32, 4)
    column.add(np.ones(3))
    first = column.taken()
    column.add(np.full(2, 7.0))
    assert column.taken().tolist() == [7.0, 7.0]
    assert first.tolist() == [1.0, 1.0, 1.0]
