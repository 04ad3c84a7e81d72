"""Chances of head and tail items to be recommended, by hand."""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.exposure import PopREO, PopRSP

# phi = 5, 3, 1, 1: items 0 and 1 are the head, items 2 and 3 the tail.
TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]


def test_statistical_parity_compares_listed_shares_of_all_candidates(make_evaluation):
    # User 4 has item 0 in training, users 5 and 6 nothing: 1 + 2 + 2 head candidates, 2 + 2 + 2 of the tail.
    # Listed: items 1 and 0 of the head, item 2 of the tail. P = 2/5, 1/6.
    # std / mean of two numbers is |a - b| / (a + b) = (7/30) / (17/30).
    test = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]
    measured = apply_metric(PopRSP(k=2), make_evaluation(TRAIN, test, lists=[[1, 2], [0], []]))
    assert measured.sums.tolist() == [[1, 1, 1, 2], [1, 0, 2, 2], [0, 0, 2, 2]]
    assert measured.value == pytest.approx(7 / 17)


def test_equal_opportunity_compares_recall_in_head_and_tail(make_evaluation):
    # Relevant: items 1 (user 4) and 0 (user 5) of the head, 2 (user 4) and 3 (user 5) of the tail, and a cold one.
    # The lists hit both of the head and item 2: P = 2/2, 1/2; (1/2) / (3/2).
    test = [(4, 1, 5), (4, 2, 4), (5, 0, 5), (5, 3, 5), (5, 9, 5), (5, 2, 1)]
    measured = apply_metric(PopREO(k=2), make_evaluation(TRAIN, test, lists=[[1, 2], [0, 2]]))
    assert measured.sums.tolist() == [[1, 1, 1, 1], [1, 0, 1, 1]]
    assert measured.value == pytest.approx(1 / 3)


def test_a_relevant_item_that_the_user_has_in_training_is_no_candidate(make_evaluation):
    test = [(4, 0, 5), (4, 1, 5), (4, 2, 5)]  # user 4 rated item 0 in training already
    measured = apply_metric(PopREO(k=2), make_evaluation(TRAIN, test, lists=[[1, 2]]))
    assert measured.sums.tolist() == [[1, 1, 1, 1]]
    assert measured.value == 0


def test_equal_chances_give_zero_and_one_sided_ones_give_one(make_evaluation):
    test = [(5, 0, 5), (5, 2, 5)]
    both, head_only = ([[0, 2]], [[0, 1]])
    for metric in (PopREO(k=2), PopRSP(k=2)):
        assert apply_metric(metric, make_evaluation(TRAIN, test, lists=both)).value == 0
        assert apply_metric(metric, make_evaluation(TRAIN, test, lists=head_only)).value == 1


@pytest.mark.parametrize("metric", [PopREO, PopRSP])
def test_without_lists_there_is_no_value(make_evaluation, metric):
    assert np.isnan(apply_metric(metric(k=2), make_evaluation(TRAIN, [(5, 0, 5), (5, 2, 5)], lists=[[]])).value)


def test_places_after_k_do_not_count(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(5, 0, 5), (5, 2, 5)], lists=[[0, 2]])
    assert apply_metric(PopREO(k=1), evaluation).value == apply_metric(PopRSP(k=1), evaluation).value == 1


def test_resamples_are_measured_together_as_one_by_one(make_evaluation):
    test = [(4, 1, 5), (4, 2, 4), (5, 0, 5), (5, 3, 5)]
    measured = apply_metric(PopREO(k=2), make_evaluation(TRAIN, test, lists=[[1, 2], [0, 2]]))
    sums = np.array([[2, 0], [1, 1], [0, 2], [0, 0]]) @ measured.sums
    one_by_one = [measured.finish(row[np.newaxis])[0] for row in sums]
    assert measured.finish(sums) == pytest.approx(one_by_one, nan_ok=True)
