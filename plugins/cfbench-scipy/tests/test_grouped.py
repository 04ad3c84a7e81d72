import numpy as np
import pytest

from cfbench_scipy.grouped import Grouped

CODES = np.array([2, 0, 2, 1, 2, 0, 2], dtype=np.int32)


def test_rows_are_found_by_entity_in_their_order():
    grouped = Grouped.by(CODES, 4)
    assert grouped.starts.tolist() == [0, 2, 3, 7, 7]
    assert grouped.order.tolist() == [1, 5, 3, 0, 2, 4, 6]


@pytest.mark.parametrize("cells", [1, 4, 8, 100])
def test_batches_hold_every_row_once_and_stay_small(cells):
    found = {}
    for entities, rows, real in Grouped.by(CODES, 4).batches(cells):
        assert rows.size <= cells or len(entities) == 1
        for entity, its_rows, is_real in zip(entities.tolist(), rows, real, strict=True):
            assert entity not in found
            found[entity] = its_rows[is_real].tolist()
    assert found == {0: [1, 5], 1: [3], 2: [0, 2, 4, 6], 3: []}


def test_an_entity_of_few_rows_takes_the_room_it_is_said_to_need():
    sizes = [len(entities) for entities, _, _ in Grouped.by(np.arange(10, dtype=np.int32), 10).batches(12, 4)]
    assert sizes == [3, 3, 3, 1]


def test_padding_is_less_than_what_is_padded():
    counts = np.random.default_rng(0).integers(0, 50, size=200)
    codes = np.repeat(np.arange(200, dtype=np.int32), counts)
    for _, _, real in Grouped.by(codes, 200).batches(10_000):
        assert np.all(real.sum(axis=1) * 2 >= real.shape[1])
