"""NDCG, recall and precision by hand, and the mistakes that others made with them."""

import numpy as np
import pytest

from cfbench.errors import UsageError
from cfbench.metrics.ranking import NDCG, Precision, Recall

TRAIN = [(0, item, 3) for item in range(6)] + [(user, 6, 3) for user in (1, 2, 3)]
LOG3 = np.log2(3)


def test_ndcg_by_hand(make_evaluation):
    # One hit at place 2 of 3 relevant: (1 / log2 3) / (1 + 1 / log2 3).
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 4)], lists=[[5, 1]])
    assert NDCG(k=2).measure(evaluation).value == pytest.approx((1 / LOG3) / (1 + 1 / LOG3))


def test_ndcg_is_one_when_a_single_relevant_item_leads_a_longer_list(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 3, 5)], lists=[[3, 4]])
    assert NDCG(k=2).measure(evaluation).value == 1


def test_recall_divides_by_all_relevant_items_even_beyond_k(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 4)], lists=[[0, 1]])
    assert Recall(k=2).measure(evaluation).value == pytest.approx(2 / 3)
    assert Precision(k=2).measure(evaluation).value == 1


def test_precision_divides_by_k_even_where_fewer_items_are_relevant_or_listed(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    assert Precision(k=2).measure(evaluation).value == 0.5
    assert Recall(k=2).measure(evaluation).value == 1


def test_the_place_after_k_does_not_count(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 5)], lists=[[0, 1, 2]], k=3)
    assert Precision(k=2).measure(evaluation).value == 1
    assert Recall(k=2).measure(evaluation).value == pytest.approx(2 / 3)
    assert NDCG(k=2).measure(evaluation).value == 1


def test_users_without_a_relevant_item_are_left_out_not_counted_as_zero(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (2, 0, 2)], lists=[[0], [0]])
    measured = Recall(k=2).measure(evaluation)
    assert measured.value == 1
    assert measured.denominators.tolist() == [1, 0]


@pytest.mark.parametrize("metric", [NDCG(k=2), Recall(k=2), Precision(k=2)])
def test_users_of_the_truth_without_a_list_count_as_zero(make_evaluation, metric):
    listed = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    half_listed = make_evaluation(TRAIN, [(1, 0, 5), (2, 0, 5)], lists=[[0], []])
    assert metric.measure(half_listed).value == pytest.approx(metric.measure(listed).value / 2)


def test_cold_relevant_items_lower_recall_and_the_ideal_gain_stays_reachable_only_in_part(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 9, 5)], lists=[[0, 3]])
    assert Recall(k=2).measure(evaluation).value == 0.5
    assert NDCG(k=2).measure(evaluation).value == pytest.approx(1 / (1 + 1 / LOG3))


def test_without_any_relevant_item_there_is_nothing_to_average(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 2)], lists=[[0]])
    assert np.isnan(NDCG(k=2).measure(evaluation).value)


@pytest.mark.parametrize("metric", [NDCG, Recall, Precision])
def test_k_is_in_the_name_and_must_be_a_positive_whole_number(metric):
    assert metric().name == f"{metric.__name__}@10"
    assert metric(k=5).name == f"{metric.__name__}@5"
    for wrong in (0, -1, 2.5, True, "10"):
        with pytest.raises(UsageError, match="whole number of at least 1"):
            metric(k=wrong)


def test_lists_shorter_than_k_are_an_error_not_a_low_figure(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    with pytest.raises(UsageError, match="needs lists of 10 items, the stored ones hold 2"):
        NDCG().measure(evaluation)
