"""Stored answers are held against the questions of their split before a metric sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cfbench.data.splits.split import Fold, Split
from cfbench.errors import StoreError
from cfbench.inference.output import ModelOutput
from cfbench.inference.output_rules import mistakes_in
from cfbench.inference.rank import rank_items
from cfbench.records.cell import Cell
from cfbench.records.store import require_output_of
from cfbench.resources.cost import Clock


@pytest.fixture
def split(make_split):
    """Two test rows of two users; three training items, 0 to 2."""
    return make_split([(0, 0, 5.0), (0, 1, 3.0), (1, 2, 4.0)], [(0, 2, 4.0), (1, 0, 2.0)])


@pytest.fixture
def cell(split):
    return Cell("d", "s", "", split.fingerprint, "m", {}, "x", "1", "c", 0, 0, list_length=2)


def floats(*values):
    return np.array(values, dtype=np.float32)


GOOD = ModelOutput(
    predictions=floats(3.5, np.nan),
    lists=np.array([[2, 3], [0, 1]], dtype=np.int32),
    score_means=floats(1.0, 2.0, np.nan)[np.newaxis],
    item_factors=np.ones((3, 2), dtype=np.float32),
    train_rows=np.array([0, 1, 2], dtype=np.int64),
    train_predictions=floats(5.0, 4.0, np.nan),
    rating_range=np.array([0.5, 5.5]),
)


def test_answers_as_a_run_stores_them_pass(split, cell):
    require_output_of(split, cell, GOOD)
    require_output_of(split, cell, ModelOutput(floats(1.0, 2.0), None))
    require_output_of(split, cell, ModelOutput(None, GOOD.lists))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"predictions": None, "lists": None}, "there are none"),
        ({"predictions": floats(1.0)}, r"predictions have shape \(1,\), expected pairs = \(2,\)"),
        ({"predictions": floats(1.0, np.inf)}, "predictions hold infinities"),
        ({"lists": np.zeros((2, 3), dtype=np.int32)}, r"lists have shape \(2, 3\), expected lists x length = \(2, 2\)"),
        ({"lists": np.array([[0, 4], [0, 1]], dtype=np.int32)}, "beyond the 3"),
        ({"lists": np.array([[0, -1], [0, 1]], dtype=np.int32)}, "beyond the 3"),
        ({"lists": np.array([[1, 1], [0, 1]], dtype=np.int32)}, "an item twice"),
        ({"lists": np.array([[3, 1], [0, 1]], dtype=np.int32)}, "after its end"),
        ({"lists": np.array([[2, 1], [0, 1]], dtype=np.int32)}, "its user has rated in training"),
        ({"lists": np.array([[2, 3], [0, 2]], dtype=np.int32)}, "its user has rated in training"),
        ({"score_means": np.ones((1, 4), dtype=np.float32)}, "score_means have shape"),
        ({"score_means": np.ones((0, 3), dtype=np.float32)}, "score_means have shape"),
        ({"score_means": np.ones((3, 3), dtype=np.float32)}, "score_means have shape"),
        ({"item_factors": np.ones((2, 2), dtype=np.float32)}, "item_factors have shape"),
        ({"item_factors": np.ones((3, 0), dtype=np.float32)}, "item_factors have shape"),
        ({"item_factors": np.full((3, 1), -np.inf, dtype=np.float32)}, "item_factors hold infinities"),
        ({"item_factors": np.full((3, 1), np.nan, dtype=np.float32)}, "item_factors hold NaN"),
        ({"train_rows": np.array([0, 1, 3], dtype=np.int64)}, "other rows than those asked about"),
        ({"train_rows": np.array([2, 1, 0], dtype=np.int64)}, "other rows than those asked about"),
        ({"train_rows": None}, "one is missing"),
        ({"train_predictions": floats(1.0)}, "train_predictions have shape"),
        ({"rating_range": np.array([0.5])}, "rating_range have shape"),
        ({"rating_range": np.array([0.5, np.inf])}, "rating_range hold infinities"),
        ({"rating_range": np.array([5.5, 0.5])}, "rating_range does not rise"),
    ],
)
def test_answers_that_are_none_to_these_questions_are_refused(split, cell, change, complaint):
    with pytest.raises(StoreError, match=complaint):
        require_output_of(split, cell, replace(GOOD, **change))


def test_lists_may_not_name_what_is_withheld_from_them(make_dataset, cell):
    rows = [(0, 0, 5), (0, 1, 3), (1, 2, 4), (0, 2, 4), (1, 0, 2), (1, 1, 1)]
    fold = Fold("", np.arange(3), np.arange(3, 5), n_given=1, withheld_rows=np.array([5]))
    split = Split.of(make_dataset(rows), "by-hand", fold)
    lists = np.array([[2, 3], [0, 3]], dtype=np.int32)
    require_output_of(split, cell, ModelOutput(None, lists))
    lists[1] = 0, 1
    with pytest.raises(StoreError, match="an item that is withheld from it"):
        require_output_of(split, cell, ModelOutput(None, lists))


def test_the_lists_that_ranking_makes_keep_the_rules_whatever_the_data(make_dataset):
    rng = np.random.default_rng(7)
    for n_users, n_items, n in ((1, 2, 2), (5, 3, 9), (40, 30, 400)):
        pairs = rng.permutation(n_users * n_items)[:n]
        rows = [(int(one) // n_items, int(one) % n_items, 3) for one in pairs]
        order = rng.permutation(n)
        split = Split.of(make_dataset(rows), "by-hand", Fold("", order[: n // 2], order[n // 2 :]))
        users = split.user_coding.codes(split.test_user_positions)
        lists = rank_items(Scores(split.train.n_items), split.train, users, 4, 1, Clock()).lists
        assert not list(mistakes_in(ModelOutput(None, lists), split, 4))
        user, item = split.train.users[0], split.train.items[0]
        if (rated := np.flatnonzero(users == user)).size:
            lists[rated[0]] = [item, *[split.train.n_items] * 3]
            assert list(mistakes_in(ModelOutput(None, lists), split, 4)) == [
                "a list names an item that its user has rated in training"
            ]


class Scores:
    """Scores items at random, some of them not."""

    def __init__(self, n_items):
        self.n_items = n_items

    def score_items(self, users):
        scores = np.random.default_rng(0).random((len(users), self.n_items))
        return np.where(scores < 0.1, np.nan, scores)
