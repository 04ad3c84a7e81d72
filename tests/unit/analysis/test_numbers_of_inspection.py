"""Neighbours, extremes, Bayesian averages, moved lists and distributions, by hand."""

import numpy as np
import pytest

from cfbench.analysis.extremes import extremes
from cfbench.analysis.moves import moves
from cfbench.analysis.neighbours import likeness, nearest
from cfbench.analysis.shrunk_means import bayesian_averages
from cfbench.analysis.spread import measured_parts, quantiles
from cfbench.model.protocols import Embeddings

VECTORS = np.array([[1, 0], [3, 4], [0.6, 0.8], [0, 0], [-2, 0]], dtype=np.float32)
ALL = np.ones(5, dtype=bool)


def test_cosine_is_of_directions_and_a_zero_vector_has_none():
    assert likeness(VECTORS, 0, "cosine") == pytest.approx([1, 0.6, 0.6, np.nan, -1], nan_ok=True)


def test_dot_favours_long_vectors():
    assert likeness(VECTORS, 0, "dot") == pytest.approx([1, 3, 0.6, 0, -2])
    assert nearest(VECTORS, 0, 2, "dot", ALL)[0].tolist() == [1, 2]


def test_an_item_is_not_its_own_neighbour_and_filtered_items_are_none():
    places, values = nearest(VECTORS, 1, 9, "cosine", np.array([True, True, False, True, True]))
    assert places.tolist() == [0, 4]
    assert values == pytest.approx([0.6, -0.6])


def test_an_item_without_a_direction_has_no_neighbours():
    assert nearest(VECTORS, 3, 2, "cosine", ALL)[0].tolist() == []


def test_extremes_are_listed_from_the_ends_inwards():
    lowest, highest = extremes(np.array([2.0, 5.0, 1.0, 5.0, -9.0]), 2, np.array([True, True, True, True, False]))
    assert lowest.tolist() == [2, 0]
    assert highest.tolist() == [1, 3]


def test_a_single_five_does_not_beat_many_good_ratings():
    counts, sums = np.array([1, 99]), np.array([5.0, 99 * 4.5])
    averages = bayesian_averages(counts, sums, mean=3.0)
    assert averages == pytest.approx([(50 * 3 + 5) / 51, (50 * 3 + 445.5) / 149])
    assert averages[1] > averages[0]
    assert bayesian_averages(counts, sums, 3.0, weight=0) == pytest.approx([5.0, 4.5])


def test_lists_that_did_not_move_score_one_and_strangers_nothing():
    lists = np.array([[1, 2, 3]])
    assert set(vars(moves(lists, lists)).values()) == {1.0}
    assert set(vars(moves(lists, lists + 10)).values()) == {0.0}


def test_moves_by_hand():
    moved = moves(np.array([[1, 2, 3, 4]]), np.array([[2, 1, 5, 3]]))
    assert moved.overlap == pytest.approx(3 / 4)
    assert moved.jaccard == pytest.approx(3 / 5)
    assert moved.average_overlap == pytest.approx((0 / 1 + 2 / 2 + 2 / 3 + 3 / 4) / 4)
    assert moved.same_first == 0


def test_empty_places_have_nothing_in_common():
    moved = moves(np.array([[1, -1]]), np.array([[1, -1]]))
    assert (moved.overlap, moved.jaccard) == (0.5, 1.0)


def test_lengths_and_biases_of_both_sides_are_told():
    parts = measured_parts(Embeddings(VECTORS[:1], VECTORS, item_biases=np.arange(5.0)))
    assert parts["item vectors: length"] == pytest.approx([1, 5, 1, 0, 2])
    assert parts["user vectors: entries"].tolist() == [1, 0]
    assert "user biases" not in parts
    assert quantiles(parts["item biases"]) == pytest.approx([0, 0.2, 1, 2, 3, 3.8, 4])
    assert np.isnan(quantiles(np.empty(0))).all()
