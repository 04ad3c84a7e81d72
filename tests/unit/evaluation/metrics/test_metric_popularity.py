"""Popularity of the recommended items, by hand."""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.popularity import APLT, ARP

# phi = 5, 3, 1, 1: items 0 and 1 hold 80 % of the ten interactions, items 2 and 3 are the tail.
TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]
LISTS = [[1, 2], [0], []]


def test_arp_averages_within_lists_then_over_users_who_got_one(make_evaluation):
    measured = apply_metric(ARP(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    assert measured.value == ((3 + 1) / 2 + 5) / 2
    assert measured.denominators.tolist() == [1, 1, 0]


def test_aplt_is_the_mean_share_of_tail_items(make_evaluation):
    assert apply_metric(APLT(k=2), make_evaluation(TRAIN, TEST, lists=LISTS)).value == (1 / 2 + 0) / 2


@pytest.mark.parametrize(("metric", "value"), [(ARP(k=1), (3 + 5) / 2), (APLT(k=1), 0)])
def test_places_after_k_do_not_count(make_evaluation, metric, value):
    assert apply_metric(metric, make_evaluation(TRAIN, TEST, lists=LISTS)).value == value


@pytest.mark.parametrize("metric", [ARP, APLT])
def test_without_any_list_there_is_no_value(make_evaluation, metric):
    assert np.isnan(apply_metric(metric(k=2), make_evaluation(TRAIN, TEST, lists=[[], [], []])).value)


@pytest.mark.parametrize(("metric", "name"), [(ARP, "ARP"), (APLT, "APLT")])
def test_names_carry_k_and_wrong_k_is_refused(metric, name):
    assert metric().name == f"{name}@10"
    with pytest.raises(ValueError, match=r"^k=0: expected a whole number of at least 1$"):
        metric(k=0)
