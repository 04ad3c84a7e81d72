"""Stored answers are held against the questions of their split before a metric sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Cell
from cfbench.records.store import require_output_of


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
    train_rows=np.array([0, 2], dtype=np.int64),
    train_predictions=floats(5.0, 4.0),
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
        ({"predictions": floats(1.0)}, r"predictions have shape \(1,\), expected \(2,\)"),
        ({"predictions": floats(1.0, np.inf)}, "predictions hold infinities"),
        ({"lists": np.zeros((2, 3), dtype=np.int32)}, r"lists have shape \(2, 3\), expected \(2, 2\)"),
        ({"lists": np.array([[0, 4], [0, 1]], dtype=np.int32)}, "beyond the 3"),
        ({"lists": np.array([[0, -1], [0, 1]], dtype=np.int32)}, "beyond the 3"),
        ({"lists": np.array([[1, 1], [0, 1]], dtype=np.int32)}, "an item twice"),
        ({"lists": np.array([[3, 1], [0, 1]], dtype=np.int32)}, "after its end"),
        ({"score_means": np.ones((1, 4), dtype=np.float32)}, "score_means have shape"),
        ({"score_means": np.ones((0, 3), dtype=np.float32)}, "score_means are empty"),
        ({"item_factors": np.ones((2, 2), dtype=np.float32)}, "item_factors have shape"),
        ({"item_factors": np.full((3, 1), -np.inf, dtype=np.float32)}, "item_factors hold infinities"),
        ({"train_rows": np.array([0, 3], dtype=np.int64)}, "no ascending rows of the 3"),
        ({"train_rows": np.array([2, 0], dtype=np.int64)}, "no ascending rows"),
        ({"train_rows": None}, "one is missing"),
        ({"train_predictions": floats(1.0)}, "train_predictions have shape"),
        ({"rating_range": np.array([0.5])}, r"rating_range have shape \(1,\), expected \(2,\)"),
        ({"rating_range": np.array([0.5, np.inf])}, "rating_range hold infinities"),
    ],
)
def test_answers_that_are_none_to_these_questions_are_refused(split, cell, change, complaint):
    with pytest.raises(StoreError, match=complaint):
        require_output_of(split, cell, replace(GOOD, **change))
