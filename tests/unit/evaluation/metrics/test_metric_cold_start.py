"""Errors by how much was known of user and item."""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.strata import COUNT_STRATA, ColdItemStrata, ColdUserStrata

# User 0 has 6 training ratings, user 1 has 1; item 0 has 2, items 1-5 have 1; mean 3.
TRAIN = [(0, item, 3) for item in range(6)] + [(1, 0, 3)]
# user 2 is new, item 9 is new
TEST = [(0, 9, 5), (1, 1, 4), (1, 2, 1), (2, 0, 2), (2, 9, 3)]
PREDICTIONS = [4, 4, 3, np.nan, np.nan]  # errors -1, 0, 2, 1, 0


def values(row):
    """The plain numbers of a stratum."""
    return {name: figure if isinstance(figure, float) else figure.value for name, figure in row.items()}


def test_users_are_told_apart_by_their_training_ratings(make_evaluation):
    rows = apply_metric(ColdUserStrata(), make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert tuple(rows) == COUNT_STRATA
    assert [rows[stratum]["n"] for stratum in COUNT_STRATA] == [2, 2, 1, 0, 0]
    assert values(rows["0"])["RMSE"] == pytest.approx(np.sqrt(0.5))
    assert values(rows["1-5"])["RMSE"] == pytest.approx(np.sqrt(2))
    assert values(rows["1-5"])["MAE"] == 1
    assert values(rows["6-20"])["signed error"] == -1


def test_items_are_told_apart_by_their_training_ratings(make_evaluation):
    rows = apply_metric(ColdItemStrata(), make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert [rows[stratum]["n"] for stratum in COUNT_STRATA] == [2, 3, 0, 0, 0]
    assert values(rows["0"])["MAE"] == 0.5


def test_the_fallback_its_rows_and_the_answered_share_are_reported(make_evaluation):
    table = apply_metric(ColdUserStrata(), make_evaluation(TRAIN, TEST, PREDICTIONS))
    assert table.facts == {"fallback (training mean)": 3}
    new, known = values(table.rows["0"]), values(table.rows["1-5"])
    assert (new["prediction-coverage"], new["filled"]) == (0, 2)
    assert (known["prediction-coverage"], known["filled"]) == (1, 0)


def test_an_empty_stratum_has_no_mean(make_evaluation):
    rows = apply_metric(ColdUserStrata(), make_evaluation(TRAIN, TEST, PREDICTIONS)).rows
    assert rows[">100"]["n"] == 0
    empty = values(rows[">100"])
    assert all(np.isnan(empty[name]) for name in ("RMSE", "MAE", "signed error", "prediction-coverage"))


@pytest.mark.parametrize(
    ("count", "stratum"),
    [(1, "1-5"), (5, "1-5"), (6, "6-20"), (20, "6-20"), (21, "21-100"), (100, "21-100"), (101, ">100")],
)
def test_strata_end_where_their_names_say(make_evaluation, count, stratum):
    train = [(0, item, 3) for item in range(count)]
    evaluation = make_evaluation(train, [(0, count, 4)], [4])
    assert apply_metric(ColdUserStrata(), evaluation).rows[stratum]["n"] == 1


def test_rows_of_all_strata_add_up_to_the_test_part(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, PREDICTIONS)
    for metric in (ColdUserStrata(), ColdItemStrata()):
        assert sum(row["n"] for row in apply_metric(metric, evaluation).rows.values()) == len(TEST)


def test_a_stratum_is_kept_as_sums_over_users_so_that_it_gets_an_interval(make_evaluation):
    # Test users 0 (one training rating), 1 (six) and 2 (none, with errors 2 and 2).
    train = [(0, 0, 3), *((1, item, 3) for item in range(6))]
    test = [(0, 1, 5), (1, 6, 4), (2, 0, 1), (2, 1, 2)]
    rows = apply_metric(ColdUserStrata(), make_evaluation(train, test, [4, 4, 3, 4])).rows
    assert rows["0"]["RMSE"].numerators.tolist() == [0, 0, 8]
    assert rows["0"]["RMSE"].denominators.tolist() == [0, 0, 2]
    assert rows["0"]["RMSE"].value == pytest.approx(np.sqrt((4 + 4) / 2))
    assert rows["1-5"]["MAE"].numerators.tolist() == [1, 0, 0]
