"""Popularity bias of lists and of predicted ratings, by hand."""

import numpy as np
import pytest

from cfbench.errors import UsageError
from cfbench.metrics.popularity import APLT, ARP, Coverage, Gini, PopularityDeciles

# phi = 5, 3, 1, 1: items 0 and 1 hold 80 % of the ten interactions, items 2 and 3 are the tail.
TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]
LISTS = [[1, 2], [0], []]


def test_arp_averages_within_lists_then_over_users_who_got_one(make_evaluation):
    measured = ARP(k=2).measure(make_evaluation(TRAIN, TEST, lists=LISTS))
    assert measured.value == ((3 + 1) / 2 + 5) / 2
    assert measured.denominators.tolist() == [1, 1, 0]


def test_aplt_is_the_mean_share_of_tail_items(make_evaluation):
    assert APLT(k=2).measure(make_evaluation(TRAIN, TEST, lists=LISTS)).value == (1 / 2 + 0) / 2


def test_gini_counts_items_that_nobody_is_shown(make_evaluation):
    # Exposures ascending 0, 1, 1, 1: (-3*0 - 1*1 + 1*1 + 3*1) / (4 * 3).
    measured = Gini(k=2).measure(make_evaluation(TRAIN, TEST, lists=LISTS))
    assert (measured.value, measured.n) == (3 / 12, 4)


def test_gini_is_zero_for_equal_exposure_and_largest_for_one_item(make_evaluation):
    equal = make_evaluation(TRAIN, TEST[:2], lists=[[0, 1], [2, 3]])
    single = make_evaluation(TRAIN, TEST, lists=[[0], [0], [0]])
    assert Gini(k=2).measure(equal).value == 0
    assert Gini(k=2).measure(single).value == (4 - 1) / 4


def test_coverage_is_the_union_over_the_catalogue(make_evaluation):
    measured = Coverage(k=2).measure(make_evaluation(TRAIN, TEST, lists=LISTS))
    assert (measured.value, measured.n) == (3 / 4, 4)


@pytest.mark.parametrize(
    ("metric", "value"), [(ARP(k=1), (3 + 5) / 2), (APLT(k=1), 0), (Gini(k=1), 2 / 4), (Coverage(k=1), 2 / 4)]
)
def test_places_after_k_do_not_count(make_evaluation, metric, value):
    assert metric.measure(make_evaluation(TRAIN, TEST, lists=LISTS)).value == value


def test_without_any_list_shares_are_undefined_and_coverage_is_zero(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=[[], [], []])
    assert all(np.isnan(metric(k=2).measure(evaluation).value) for metric in (ARP, APLT, Gini))
    assert Coverage(k=2).measure(evaluation).value == 0


@pytest.mark.parametrize(("metric", "name"), [(ARP, "ARP"), (APLT, "APLT"), (Gini, "Gini"), (Coverage, "coverage")])
def test_names_carry_k_and_wrong_k_is_refused(metric, name):
    assert metric().name == f"{name}@10"
    with pytest.raises(UsageError, match=f"{name}: k must be"):
        metric(k=0)


def test_deciles_are_tenths_of_the_catalogue_with_cold_items_apart(make_evaluation):
    # Item n has n + 1 training users, so the twenty items fill the deciles in pairs.
    train = [(user, item, 3) for item in range(20) for user in range(item + 1)]
    test = [(30, 0, 4), (30, 1, 2), (30, 19, 5), (30, 25, 1)]
    table = PopularityDeciles().measure(make_evaluation(train, test, [3, 3, 4, np.nan]))
    assert list(table.rows) == [*map(str, range(1, 11)), "cold"]
    assert [row["n"] for row in table.rows.values()] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert (table.rows["1"]["signed error"], table.rows["1"]["RMSE"]) == (0, 1)
    assert table.rows["10"]["signed error"] == -1
    assert table.rows["cold"]["signed error"] == 2


def test_the_cut_of_the_tail_and_its_share_of_items_are_reported(make_evaluation):
    facts = PopularityDeciles().measure(make_evaluation(TRAIN, TEST, [3, 3, 3])).facts
    assert facts == {"tail cut": 3, "tail share": 0.5}


def test_deciles_of_equally_popular_items_do_not_depend_on_the_order_of_rows(make_evaluation):
    train = [(user, item, 3) for user in range(2) for item in range(20)]
    test = [(3, item, 4) for item in range(20)]
    predictions = np.linspace(1, 5, 20)
    there, back = (
        PopularityDeciles().measure(make_evaluation(rows, test, predictions)).rows for rows in (train, train[::-1])
    )
    for decile in map(str, range(1, 11)):
        assert there[decile] == back[decile]
        assert there[decile]["n"] == 2
