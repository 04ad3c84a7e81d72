"""Errors by how much was known of user and item."""

import numpy as np
import pytest

from cfbench.metrics.cold_start import STRATA, ColdItems, ColdUsers

# User 0 has 6 training ratings, user 1 has 1; item 0 has 2, items 1-5 have 1; mean 3.
TRAIN = [(0, item, 3) for item in range(6)] + [(1, 0, 3)]
# user 2 is new, item 9 is new
TEST = [(0, 9, 5), (1, 1, 4), (1, 2, 1), (2, 0, 2), (2, 9, 3)]
PREDICTIONS = [4, 4, 3, np.nan, np.nan]  # errors -1, 0, 2, 1, 0


def test_users_are_told_apart_by_their_training_ratings(make_evaluation):
    rows = ColdUsers().measure(make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert tuple(rows) == STRATA
    assert [rows[stratum]["n"] for stratum in STRATA] == [2, 2, 1, 0, 0]
    assert rows["0"]["RMSE"] == pytest.approx(np.sqrt(0.5))
    assert rows["1-5"]["RMSE"] == pytest.approx(np.sqrt(2))
    assert rows["1-5"]["MAE"] == 1
    assert rows["6-20"]["signed error"] == -1


def test_items_are_told_apart_by_their_training_ratings(make_evaluation):
    rows = ColdItems().measure(make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert [rows[stratum]["n"] for stratum in STRATA] == [2, 3, 0, 0, 0]
    assert rows["0"]["MAE"] == 0.5


def test_the_fallback_its_rows_and_the_answered_share_are_reported(make_evaluation):
    table = ColdUsers().measure(make_evaluation(TRAIN, TEST, PREDICTIONS))
    assert table.facts == {"fallback": 3}
    assert (table.rows["0"]["answered"], table.rows["0"]["filled"]) == (0, 2)
    assert (table.rows["1-5"]["answered"], table.rows["1-5"]["filled"]) == (1, 0)


def test_an_empty_stratum_has_no_mean(make_evaluation):
    rows = ColdUsers().measure(make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert rows[">100"]["n"] == 0
    assert all(np.isnan(rows[">100"][name]) for name in ("RMSE", "MAE", "signed error", "answered"))


@pytest.mark.parametrize(
    ("count", "stratum"),
    [(1, "1-5"), (5, "1-5"), (6, "6-20"), (20, "6-20"), (21, "21-100"), (100, "21-100"), (101, ">100")],
)
def test_strata_end_where_their_names_say(make_evaluation, count, stratum):
    train = [(0, item, 3) for item in range(count)]
    evaluation = make_evaluation(train, [(0, count, 4)], [4])
    assert ColdUsers().measure(evaluation).rows[stratum]["n"] == 1


def test_rows_of_all_strata_add_up_to_the_test_part(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, PREDICTIONS)
    for metric in (ColdUsers(), ColdItems()):
        assert sum(row["n"] for row in metric.measure(evaluation).rows.values()) == len(TEST)


def test_the_sums_over_users_give_back_the_rmse_of_every_stratum(make_evaluation):
    train = [(0, 0, 3), *((1, item, 3) for item in range(6))]
    test = [(0, 1, 5), (1, 6, 4), (2, 0, 1), (2, 1, 2)]
    table = ColdUsers().measure(make_evaluation(train, test, [4, 4, 3, 4]))
    for stratum, sums in table.rmse.items():
        assert sums.value == pytest.approx(table.rows[stratum]["RMSE"], nan_ok=True)
    assert table.rmse["0"].value == pytest.approx(np.sqrt((4 + 4) / 2))
