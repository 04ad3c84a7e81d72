"""What is withheld is no candidate: lists go on where it would have stood."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.data.splits.split import Fold, Split, Withheld
from cfbench.inference.inputs import EvaluationInputs
from cfbench.inference.rank import rank_items
from cfbench.resources.cost import Clock


def withheld(*pairs) -> Withheld:
    places, items = zip(*pairs, strict=True) if pairs else ((), ())
    return Withheld(np.array(places, dtype=np.int64), np.array(items, dtype=np.int32))


def test_lists_close_up_and_keep_their_order():
    lists = np.array([[4, 2, 0, 1], [3, 2, 1, 0], [4, 5, 5, 5]], dtype=np.int32)
    kept = withheld((0, 2), (1, 3), (1, 1)).taken_out(lists, k=2, n_items=5)
    assert kept.tolist() == [[4, 0], [2, 0], [4, 5]]


def test_a_list_that_loses_more_than_it_has_to_spare_ends_early():
    lists = np.array([[0, 1, 3, 3]], dtype=np.int32)
    assert withheld((0, 0), (0, 1)).taken_out(lists, k=2, n_items=3).tolist() == [[3, 3]]


def test_an_item_is_withheld_from_one_user_and_not_from_another():
    lists = np.array([[0, 1], [0, 1]], dtype=np.int32)
    assert withheld((1, 0)).taken_out(lists, k=1, n_items=2).tolist() == [[0], [1]]


def test_nothing_withheld_changes_nothing():
    lists = np.array([[1, 0]], dtype=np.int32)
    assert withheld().longest == 0
    assert withheld().taken_out(lists, k=2, n_items=2).tolist() == [[1, 0]]


class InOrder:
    """Scores the first item of the catalogue highest, for everybody."""

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    def score_items(self, users):
        return np.tile(-np.arange(self.n_items, dtype=np.float32), (len(users), 1))


@pytest.fixture
def curve_point(make_dataset) -> Split:
    """Users 0 and 1 train on items 0 to 3; user 2, unknown, has items 0 and 1 withheld and is asked about 3."""
    rows = [(0, 0, 5), (0, 1, 4), (1, 2, 3), (1, 3, 2), (2, 0, 5), (2, 1, 5), (2, 3, 5), (1, 0, 4)]
    numbers = np.arange(8)
    return Split.of(make_dataset(rows), "by-hand", Fold("s=0", numbers[:4], numbers[6:], 0, numbers[4:6]))


def test_an_unknown_user_gets_a_list_without_what_is_withheld_from_them_alone(curve_point, tmp_path):
    EvaluationInputs.of(curve_point).write(tmp_path)
    questions = EvaluationInputs.read(tmp_path)
    rankings = rank_items(
        InOrder(4), questions.train, questions.queries.ranked_users, k=2, tie_seed=0, clock=Clock(),
        withheld=questions.withheld,
    )  # fmt: skip
    assert curve_point.test_user_positions.tolist() == [1, 2]
    assert rankings.lists.tolist() == [[0, 1], [2, 3]]


def test_what_is_withheld_of_users_or_items_that_nobody_asks_about_is_left_aside(make_dataset):
    rows = [(0, 0, 5), (1, 1, 4), (0, 1, 3), (2, 0, 3), (0, 5, 3)]
    numbers = np.arange(5)
    split = Split.of(make_dataset(rows), "by-hand", Fold("s=0", numbers[:2], numbers[2:3], 0, numbers[3:]))
    assert split.withheld.places.tolist() == []


def test_what_is_withheld_is_part_of_the_splits_identity(make_dataset):
    rows = make_dataset([(0, 0, 5), (1, 1, 4), (0, 1, 3), (1, 0, 3)])
    numbers = np.arange(4)
    plain, point = (
        Split.of(rows, "by-hand", Fold("", numbers[:2], numbers[2:3], None, rest)) for rest in (None, numbers[3:])
    )
    assert plain.fingerprint != point.fingerprint
