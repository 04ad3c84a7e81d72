"""Metrics of lists by hand, and the mistakes that others made with them."""

import numpy as np
import pytest

from cfbench.errors import UsageError
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.ranking import MAP, MRR, NDCG, HitRate, Precision, Recall

TRAIN = [(0, item, 3) for item in range(6)] + [(user, 6, 3) for user in (1, 2, 3)]
LOG3 = np.log2(3)
ALL = (NDCG, Recall, Precision, HitRate, MRR, MAP)


def test_ndcg_by_hand(make_evaluation):
    # One hit at place 2 of 3 relevant: (1 / log2 3) / (1 + 1 / log2 3).
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 4)], lists=[[5, 1]])
    assert apply_metric(NDCG(k=2), evaluation).value == pytest.approx((1 / LOG3) / (1 + 1 / LOG3))


def test_ndcg_is_one_when_a_single_relevant_item_leads_a_longer_list(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 3, 5)], lists=[[3, 4]])
    assert apply_metric(NDCG(k=2), evaluation).value == 1


def test_hit_rate_reciprocal_rank_and_average_precision_by_hand(make_evaluation):
    # User 1 likes 0, 1, 2 and is shown 5, 1, 4, 2: hits at places 2 and 4.
    # User 2 likes 0 and is shown 3, 4: no hit.
    test = [(1, 0, 5), (1, 1, 5), (1, 2, 4), (2, 0, 5)]
    evaluation = make_evaluation(TRAIN, test, lists=[[5, 1, 4, 2], [3, 4]], k=4)
    assert apply_metric(HitRate(k=4), evaluation).value == pytest.approx((1 + 0) / 2)
    assert apply_metric(MRR(k=4), evaluation).value == pytest.approx((1 / 2 + 0) / 2)
    assert apply_metric(MAP(k=4), evaluation).value == pytest.approx(((1 / 2 + 2 / 4) / 3 + 0) / 2)


def test_only_the_first_hit_has_a_reciprocal_rank_and_only_within_k(make_evaluation):
    relevant = [(1, 0, 5), (1, 1, 5)]
    assert apply_metric(MRR(k=3), make_evaluation(TRAIN, relevant, lists=[[3, 0, 1]], k=3)).value == 1 / 2
    assert apply_metric(MRR(k=2), make_evaluation(TRAIN, relevant, lists=[[3, 4, 1]], k=3)).value == 0


def test_average_precision_divides_by_the_most_hits_possible_so_that_a_full_list_of_hits_is_one(make_evaluation):
    # Three relevant items, two places: divided by 3 it would be (1 / 1 + 2 / 2) / 3 = 2 / 3 and never 1.
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 5)], lists=[[2, 0]])
    assert apply_metric(MAP(k=2), evaluation).value == 1
    one_hit = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 5)], lists=[[5, 0]])
    assert apply_metric(MAP(k=2), one_hit).value == pytest.approx((1 / 2) / 2)


def test_average_precision_of_a_single_relevant_item_is_its_reciprocal_rank(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[3, 4, 0]], k=3)
    assert apply_metric(MAP(k=3), evaluation).value == apply_metric(MRR(k=3), evaluation).value == pytest.approx(1 / 3)


def test_recall_divides_by_all_relevant_items_even_beyond_k(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 4)], lists=[[0, 1]])
    assert apply_metric(Recall(k=2), evaluation).value == pytest.approx(2 / 3)
    assert apply_metric(Precision(k=2), evaluation).value == 1


def test_precision_divides_by_k_even_where_fewer_items_are_relevant_or_listed(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    assert apply_metric(Precision(k=2), evaluation).value == 0.5
    assert apply_metric(Recall(k=2), evaluation).value == 1


def test_the_place_after_k_does_not_count(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 1, 5), (1, 2, 5)], lists=[[0, 1, 2]], k=3)
    assert apply_metric(Precision(k=2), evaluation).value == 1
    assert apply_metric(Recall(k=2), evaluation).value == pytest.approx(2 / 3)
    assert apply_metric(NDCG(k=2), evaluation).value == 1


@pytest.mark.parametrize("metric", [NDCG(k=2), Recall(k=2), HitRate(k=2), MRR(k=2), MAP(k=2)])
def test_users_without_a_relevant_item_are_left_out_not_counted_as_zero(make_evaluation, metric):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (2, 0, 2)], lists=[[0], [0]])
    measured = apply_metric(metric, evaluation)
    assert measured.value == 1
    assert measured.denominators.tolist() == [1, 0]


@pytest.mark.parametrize("metric", [kind(k=2) for kind in ALL], ids=lambda metric: metric.name)
def test_users_of_the_truth_without_a_list_count_as_zero(make_evaluation, metric):
    listed = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    half_listed = make_evaluation(TRAIN, [(1, 0, 5), (2, 0, 5)], lists=[[0], []])
    assert apply_metric(metric, half_listed).value == pytest.approx(apply_metric(metric, listed).value / 2)


def test_cold_relevant_items_lower_recall_and_the_ideal_gain_stays_reachable_only_in_part(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5), (1, 9, 5)], lists=[[0, 3]])
    assert apply_metric(Recall(k=2), evaluation).value == 0.5
    assert apply_metric(NDCG(k=2), evaluation).value == pytest.approx(1 / (1 + 1 / LOG3))


def test_without_any_relevant_item_there_is_nothing_to_average(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 2)], lists=[[0]])
    for metric in ALL:
        assert np.isnan(apply_metric(metric(k=2), evaluation).value)


@pytest.mark.parametrize("metric", ALL)
def test_k_is_in_the_name_and_must_be_a_positive_whole_number(metric):
    assert metric().name == f"{metric.__name__}@10"
    assert metric(k=5).name == f"{metric.__name__}@5"
    for wrong in (0, -1, 2.5, True, "10"):
        with pytest.raises(ValueError, match=r"^k=.*: expected a whole number of at least 1$"):
            metric(k=wrong)


def test_lists_shorter_than_k_are_an_error_not_a_low_figure(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 0, 5)], lists=[[0]])
    with pytest.raises(UsageError, match="lists of 10 items are needed, the stored ones hold 2"):
        apply_metric(NDCG(), evaluation)
