from dataclasses import replace

import numpy as np
import pytest

from cfbench.data.dataset import Entities, PublishedFold
from cfbench.data.preprocessing import subset

ROWS = [(0, 0, 1), (1, 1, 2), (2, 0, 3), (0, 2, 4), (2, 3, 5)]
KEEP = np.array([False, True, False, True, True])


@pytest.fixture
def data(make_dataset):
    folds = {
        "u1": PublishedFold(np.array([4, 0, 3]), np.array([1, 2])),
        "u2": PublishedFold(np.array([1, 3]), np.array([2, 0])),
    }
    plain = make_dataset(ROWS, times=[10, 20, 30, 40, 50], folds=folds)
    titles = {"title": np.array(["A", "B", "C", "D"]), "year": np.array([1990.0, 1991.0, np.nan, 1993.0])}
    return replace(plain, items=Entities(plain.items.ids, titles))


def test_rows_keep_their_order_ratings_and_times(data):
    part = subset(data, KEEP)
    assert part.ratings.tolist() == [2, 4, 5]
    assert part.timestamps.tolist() == [20, 40, 50]
    assert part.users.ids[part.user_index].tolist() == ["u1", "u0", "u2"]
    assert part.items.ids[part.item_index].tolist() == ["i1", "i2", "i3"]
    assert (part.user_index.dtype, part.item_index.dtype) == (np.int32, np.int32)


def test_entities_without_a_row_are_left_out_with_what_is_known_of_them(data):
    items = subset(data, KEEP).items
    assert items.ids.tolist() == ["i1", "i2", "i3"]
    assert items.columns["title"].tolist() == ["B", "C", "D"]
    np.testing.assert_array_equal(items.columns["year"], [1991, np.nan, 1993])


def test_published_folds_lose_rows_and_one_that_loses_a_side_is_left_out(data):
    folds = subset(data, KEEP).folds
    assert list(folds) == ["u1"]
    # Rows 1, 3 and 4 are now rows 0, 1 and 2.
    assert folds["u1"].train_rows.tolist() == [2, 1]
    assert folds["u1"].test_rows.tolist() == [0]


def test_name_scale_and_origin_stay(data):
    part = subset(data, KEEP)
    assert (part.name, part.scale, part.relevant_from, part.origin) == (
        data.name,
        data.scale,
        data.relevant_from,
        data.origin,
    )


def test_a_subset_has_the_fingerprint_of_data_that_never_had_the_other_rows(data):
    part = subset(data, KEEP)
    # The same three rows, users and items in order of first appearance as sources have them.
    alone = replace(
        data,
        users=Entities(np.array(["u1", "u0", "u2"])),
        items=Entities(np.array(["i1", "i2", "i3"])),
        user_index=np.array([0, 1, 2], dtype=np.int32),
        item_index=np.array([0, 1, 2], dtype=np.int32),
        ratings=np.array([2, 4, 5], dtype=np.float32),
        timestamps=np.array([20, 40, 50]),
        folds={},
    )
    assert part.fingerprint == alone.fingerprint != data.fingerprint


def test_keeping_everything_changes_nothing(data):
    assert subset(data, np.ones(5, dtype=np.bool_)) is data


def test_an_entity_that_nobody_ever_rated_is_left_out_too(make_dataset):
    unrated = make_dataset([(0, 0, 3), (2, 0, 4)])
    assert subset(unrated, np.ones(2, dtype=np.bool_)).users.ids.tolist() == ["u0", "u2"]


def test_data_without_times_stays_without(make_dataset):
    assert subset(make_dataset(ROWS), KEEP).timestamps is None
