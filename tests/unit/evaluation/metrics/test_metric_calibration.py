"""Genres of lists against those of profiles, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy

from cfbench.data.dataset import Entities
from cfbench.evaluation.metrics.beyond_accuracy import ALPHA, Calibration
from cfbench.evaluation.metrics.metric import NotApplicable

TRAIN = [(0, 0, 3), (0, 1, 3), (0, 2, 3), (0, 3, 3), (1, 0, 3), (2, 0, 3), (2, 1, 3), (3, 3, 3)]
GENRES = ["Action|Drama", "Action", "Drama", "(no genres listed)", ""]


def with_genres(evaluation, genres=GENRES):
    items = evaluation.split.dataset.items
    columns = {"genres": np.array(genres[: len(items)])}
    dataset = replace(evaluation.split.dataset, items=Entities(items.ids, columns))
    return replace(evaluation, split=replace(evaluation.split, dataset=dataset))


def measured(make_evaluation, test, lists, genres=GENRES):
    return Calibration(k=2).measure(with_genres(make_evaluation(TRAIN, test, lists=lists), genres))


def test_calibration_is_the_divergence_of_the_list_from_the_profile_in_nats(make_evaluation):
    # User 1: profile {0}, p = (1/2, 1/2); list [1], q = (1, 0) and q~ = (.99 + .005, .005).
    result = measured(make_evaluation, [(1, 2, 4)], [[1]])
    assert result.value == pytest.approx(0.5 * np.log(0.5 / 0.995) + 0.5 * np.log(0.5 / 0.005))


def test_an_item_spreads_its_weight_over_its_genres(make_evaluation):
    # User 2: profile {0, 1}, p = (3/4, 1/4); list [2, 0], q = (1/4, 3/4), q~ = .99 q + .01 p.
    p, q = np.array([0.75, 0.25]), np.array([0.25, 0.75])
    result = measured(make_evaluation, [(2, 2, 4)], [[2, 0]])
    assert result.value == pytest.approx(entropy(p, (1 - ALPHA) * q + ALPHA * p))


def test_a_list_with_the_shares_of_the_profile_is_calibrated(make_evaluation):
    assert measured(make_evaluation, [(1, 3, 4)], [[1, 2]]).value == pytest.approx(0)


def test_the_worst_list_costs_minus_log_alpha(make_evaluation):
    genres = ["Action", "Action", "Drama", "", ""]
    assert measured(make_evaluation, [(1, 2, 4)], [[2]], genres).value == pytest.approx(-np.log(0.01))


def test_items_without_genres_take_no_part(make_evaluation):
    # The list's item 3 has none: the same as the list [1] alone.
    assert measured(make_evaluation, [(1, 2, 4)], [[1, 3]]).value == pytest.approx(
        measured(make_evaluation, [(1, 2, 4)], [[1]]).value
    )


def test_users_without_genres_in_profile_or_list_are_left_out(make_evaluation):
    # User 1 counts; user 2 gets only item 3; user 3 has only item 3 in training; user 4 is cold; user 5 has no list.
    test = [(1, 2, 4), (2, 2, 4), (3, 2, 4), (8, 2, 4), (9, 2, 4)]
    result = measured(make_evaluation, test, [[1], [3], [1], [1], []], genres=[*GENRES, "Action"])
    assert result.denominators.tolist() == [1, 0, 0, 0, 0]
    assert result.numerators[1:].tolist() == [0, 0, 0, 0]


def test_without_genres_it_is_not_applicable_and_says_why(make_evaluation):
    plain = make_evaluation(TRAIN, [(1, 2, 4)], lists=[[1]])
    assert Calibration(k=2).measure(plain) == NotApplicable("the items of by-hand have no genres")
    empty = with_genres(plain, ["", "(no genres listed)", "", "", ""])
    assert Calibration(k=2).measure(empty) == NotApplicable("no training item of by-hand has a genre")
