"""The order in which pairs are asked: decoys, training rows, and the way back."""

import numpy as np
import pytest

from cfbench.data.splits.split import Fold, Split
from cfbench.inference.output import ModelOutput
from cfbench.inference.pair_order import CHECKED_ROWS, PairOrder, checked_rows

N_USERS, N_ITEMS = 200, 60


@pytest.fixture(scope="module")
def split(make_dataset) -> Split:
    """A fifth of 600 ratings, a twentieth of all pairs, popular items in the majority; test rows sorted by user."""
    rng = np.random.default_rng(0)
    chance = rng.permutation(N_ITEMS) + 1.0
    pairs = rng.choice(N_USERS * N_ITEMS, 600, replace=False, p=np.tile(chance / chance.sum() / N_USERS, N_USERS))
    users, items = np.divmod(pairs, N_ITEMS)
    dataset = make_dataset(list(zip(users.tolist(), items.tolist(), (1 + pairs % 5).tolist(), strict=True)))
    rows = np.arange(600)
    return Split.of(dataset, "by-hand", Fold("", rows[120:], rows[:120][np.argsort(users[:120], kind="stable")]))


def places(split):
    """Pairs of positions as numbers: of test rows, of decoys, of training rows."""
    order, dataset, n = PairOrder.of(split), split.dataset, len(split.dataset.items)
    tested = split.test.user_positions.astype(np.int64) * n + split.test.item_positions
    decoys = split.test.user_positions[order.decoy_users].astype(np.int64) * n
    decoys += split.test.item_positions[order.decoy_items]
    rows = split.train_rows
    return tested, decoys, dataset.user_index[rows].astype(np.int64) * n + dataset.item_index[rows]


def test_there_are_as_many_decoys_as_test_rows_none_of_them_in_the_data_or_twice(split):
    tested, decoys, trained = places(split)
    assert len(decoys) == len(tested)
    assert len(set(decoys.tolist())) == len(decoys)
    assert not set(decoys.tolist()) & {*tested.tolist(), *trained.tolist()}


def test_users_and_items_are_asked_as_often_again(split):
    order = PairOrder.of(split)
    assert sorted(order.decoy_users) == sorted(order.decoy_items) == list(range(len(split.test)))


def test_the_order_of_the_stream_says_nothing_of_what_is_in_it(split):
    order = PairOrder.of(split)
    asked = order.asked(split.test.users, split.test.items, split.train)
    at = np.argsort(order.order)  # where each is asked
    n = len(split.test)
    # Ranks of test rows are spread over the stream, and follow neither users nor rows.
    assert abs(at[:n].mean() / len(order.order) - 0.5) < 0.1
    assert abs(np.corrcoef(at[:n], np.arange(n))[0, 1]) < 0.3
    assert np.array_equal(asked[:, at[:n]], [split.test.users, split.test.items])
    assert np.array_equal(asked[:, at[-len(split.train) :]], [split.train.users, split.train.items])


def test_a_split_has_one_order_and_another_split_another(split):
    rows = split.test_rows[::-1].copy()
    twin = Split.of(split.dataset, split.name, Fold("", split.train_rows, split.test_rows))
    other = Split.of(split.dataset, split.name, Fold("", split.train_rows, rows))
    assert PairOrder.of(twin).order.tolist() == PairOrder.of(split).order.tolist()
    assert PairOrder.of(other).order.tolist() != PairOrder.of(split).order.tolist()


def test_answers_come_back_in_the_order_of_the_split(split):
    order = PairOrder.of(split)
    users, items = order.asked(split.test.users, split.test.items, split.train)
    output = order.in_split_order(ModelOutput((users * 100.0 + items).astype(np.float32), None))
    assert np.array_equal(output.predictions, split.test.users * 100 + split.test.items)
    assert np.array_equal(output.train_predictions, split.train.users * 100 + split.train.items)
    assert np.array_equal(output.train_rows, np.arange(len(split.train)))


def test_another_number_of_answers_is_refused(split):
    with pytest.raises(ValueError, match=r"^720 ratings were asked for, 3 came"):
        PairOrder.of(split).in_split_order(ModelOutput(np.zeros(3, dtype=np.float32), None))


def test_a_ranker_has_nothing_to_put_in_order(split):
    output = ModelOutput(None, np.zeros((1, 1), dtype=np.int32))
    assert PairOrder.of(split).in_split_order(output) is output


def test_where_every_pair_is_rated_there_are_no_decoys(make_split):
    split = make_split([(0, 0, 1), (1, 1, 1)], [(0, 1, 3), (1, 0, 4)])
    order = PairOrder.of(split)
    assert len(order.decoy_users) == 0
    assert len(order.order) == 4


def test_of_few_training_rows_all_are_checked():
    assert checked_rows(5, 3).tolist() == [0, 1, 2, 3, 4]


def test_of_many_training_rows_a_drawn_sample_is_checked():
    rows = checked_rows(100_000, 3)
    assert len(rows) == CHECKED_ROWS
    assert (np.diff(rows) > 0).all()
    assert rows.max() < 100_000
    assert abs(rows.mean() - 50_000) < 1_000  # its standard deviation is 204
    assert rows.tolist() == checked_rows(100_000, 3).tolist()
    assert rows.tolist() != checked_rows(100_000, 4).tolist()
