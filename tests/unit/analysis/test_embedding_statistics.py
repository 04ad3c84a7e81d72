"""Neighbours, extremes, Bayesian averages, moved lists and distributions, by hand."""

import numpy as np
import pytest

from cfbench.analysis.active_users_view import list_changes
from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.embedding_statistics import distributions, extremes, nearest_items, quantiles, similarities
from cfbench.model.protocols import Embeddings

VECTORS = np.array([[1, 0], [3, 4], [0.6, 0.8], [0, 0], [-2, 0]], dtype=np.float32)
ALL = np.ones(5, dtype=bool)


def test_cosine_is_of_directions_and_a_zero_vector_has_none():
    assert similarities(VECTORS, 0, "cosine") == pytest.approx([1, 0.6, 0.6, np.nan, -1], nan_ok=True)


def test_dot_favours_long_vectors():
    assert similarities(VECTORS, 0, "dot") == pytest.approx([1, 3, 0.6, 0, -2])
    assert nearest_items(VECTORS, 0, 2, "dot", ALL)[0].tolist() == [1, 2]


def test_an_item_is_not_its_own_neighbour_and_filtered_items_are_none():
    places, values = nearest_items(VECTORS, 1, 9, "cosine", np.array([True, True, False, True, True]))
    assert places.tolist() == [0, 4]
    assert values == pytest.approx([0.6, -0.6])


def test_an_item_without_a_direction_has_no_neighbours():
    assert nearest_items(VECTORS, 3, 2, "cosine", ALL)[0].tolist() == []


def test_extremes_are_listed_from_the_ends_inwards():
    lowest, highest = extremes(np.array([2.0, 5.0, 1.0, 5.0, -9.0]), 2, np.array([True, True, True, True, False]))
    assert lowest.tolist() == [2, 0]
    assert highest.tolist() == [1, 3]


def test_a_single_five_does_not_beat_many_good_ratings():
    names = np.array(["few", "many"])
    items = Catalogue(names, names, names, np.array([1, 99]), np.array([5.0, 99 * 4.5]), mean=3.0)
    averages = items.bayesian_averages()
    assert averages == pytest.approx([(50 * 3 + 5) / 51, (50 * 3 + 445.5) / 149])
    assert averages[1] > averages[0]
    assert items.bayesian_averages(weight=0) == pytest.approx([5.0, 4.5])


def test_lists_that_did_not_move_score_one_and_strangers_nothing():
    lists = np.array([[1, 2, 3]])
    assert set(list_changes(lists, lists).values()) == {1.0}
    assert set(list_changes(lists, lists + 10).values()) == {0.0}


def test_moves_by_hand():
    changes = list_changes(np.array([[1, 2, 3, 4]]), np.array([[2, 1, 5, 3]]))
    assert changes["overlap"] == pytest.approx(3 / 4)
    assert changes["Jaccard"] == pytest.approx(3 / 5)
    assert changes["average overlap"] == pytest.approx((0 / 1 + 2 / 2 + 2 / 3 + 3 / 4) / 4)
    assert changes["same first"] == 0


def test_empty_places_have_nothing_in_common():
    changes = list_changes(np.array([[1, -1]]), np.array([[1, -1]]))
    assert (changes["overlap"], changes["Jaccard"]) == (0.5, 1.0)


def test_lengths_and_biases_of_both_sides_are_told():
    parts = distributions(Embeddings(VECTORS[:1], VECTORS, item_biases=np.arange(5.0)))
    assert parts["item vectors: length"] == pytest.approx([1, 5, 1, 0, 2])
    assert parts["user vectors: entries"].tolist() == [1, 0]
    assert "user biases" not in parts
    assert quantiles(parts["item biases"]) == pytest.approx([0, 0.2, 1, 2, 3, 3.8, 4])
    assert np.isnan(quantiles(np.empty(0))).all()
