"""Self-information, mean rating and serendipity of lists, by hand."""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.beyond_accuracy import MeanRating, Novelty, Serendipity

# phi = 5, 3, 1, 1 among five training users; mean ratings 3, 4, 5, 1.
TRAIN = [
    *((user, 0, user + 1) for user in range(5)),
    *((user, 1, rating) for user, rating in enumerate([3, 4, 5])),
    *((0, 2, 5), (0, 3, 1)),
]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]
LISTS = [[1, 2], [0], []]


def test_novelty_is_the_self_information_of_being_rated_by_a_user(make_evaluation):
    # List [1, 2]: (log2(5/3) + log2(5/1)) / 2; list [0]: log2(5/5) = 0; no list: left out.
    measured = apply_metric(Novelty(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    assert measured.value == pytest.approx((np.log2(25 / 3) / 2 + 0) / 2)
    assert measured.denominators.tolist() == [1, 1, 0]


def test_mean_rating_is_the_items_training_mean_over_lists_then_users(make_evaluation):
    assert apply_metric(MeanRating(k=2), make_evaluation(TRAIN, TEST, lists=LISTS)).value == ((4 + 5) / 2 + 3) / 2


def test_a_pair_rated_twice_is_one_user_but_two_ratings(make_evaluation):
    evaluation = make_evaluation([*TRAIN, (0, 3, 4)], [(4, 1, 4)], lists=[[3]])
    assert apply_metric(Novelty(k=2), evaluation).value == pytest.approx(np.log2(5))
    assert apply_metric(MeanRating(k=2), evaluation).value == 2.5


def test_serendipity_pays_hits_for_standing_above_their_popularity(make_evaluation):
    # Dense ranks by phi: item 0 first, 1 second, 2 and 3 both third; n = 4.
    # Item 2 at place 1: (3 - 1) / 4; item 1 at place 2: (2 - 2) / 4; over k = 2 places.
    evaluation = make_evaluation(TRAIN, [(4, 2, 5), (4, 1, 4)], lists=[[2, 1]])
    assert apply_metric(Serendipity(k=2), evaluation).value == (2 / 4 + 0) / 2
    assert apply_metric(Serendipity(k=1), evaluation).value == 2 / 4


def test_popular_items_first_and_misses_are_no_serendipity(make_evaluation):
    popular = make_evaluation(TRAIN, [(5, 0, 5), (5, 1, 5)], lists=[[0, 1]])
    missed = make_evaluation(TRAIN, [(5, 0, 5), (5, 3, 1)], lists=[[3, 2]])
    assert apply_metric(Serendipity(k=2), popular).value == apply_metric(Serendipity(k=2), missed).value == 0


def test_serendipity_is_over_users_with_a_relevant_item_and_over_k_places(make_evaluation):
    test = [(4, 2, 5), (5, 0, 1), (6, 3, 4)]  # user 5 likes nothing, user 6 got no list
    measured = apply_metric(Serendipity(k=2), make_evaluation(TRAIN, test, lists=[[2], [3], []]))
    assert measured.denominators.tolist() == [1, 0, 1]
    assert measured.value == ((2 / 4) / 2 + 0) / 2


@pytest.mark.parametrize(
    ("metric", "value"), [(Novelty(k=1), np.log2(5 / 3) / 2), (MeanRating(k=1), (4 + 3) / 2), (Serendipity(k=1), 1 / 8)]
)
def test_places_after_k_do_not_count(make_evaluation, metric, value):
    # Serendipity: user 4 hits item 1, of rank 2, at place 1: (2 - 1) / 4; user 5 gets rank 1 at place 1: 0.
    assert apply_metric(metric, make_evaluation(TRAIN, TEST, lists=LISTS)).value == pytest.approx(value)


@pytest.mark.parametrize("metric", [Novelty, MeanRating])
def test_without_any_list_there_is_no_value(make_evaluation, metric):
    assert np.isnan(apply_metric(metric(k=2), make_evaluation(TRAIN, TEST, lists=[[], [], []])).value)
