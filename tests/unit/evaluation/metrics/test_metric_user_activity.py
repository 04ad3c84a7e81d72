"""Errors by activity of the user, by hand."""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.strata import ACTIVITY_GROUPS, UserActivity

# User n of ten has 10 - n training ratings: 55 in all.
TRAIN = [(user, item, 3) for user in range(10) for item in range(10 - user)]


def test_groups_end_at_one_ten_and_fifty_percent_rounded_up_to_whole_users(make_evaluation):
    test = [(user, 20, 4) for user in range(10)]
    table = apply_metric(UserActivity(), make_evaluation(TRAIN, test, np.arange(1, 11) / 2))
    # ceil(0.1) = 1 user, ceil(1) = 1 user, ceil(5) = 5 users.
    assert list(table.rows) == list(ACTIVITY_GROUPS)
    assert [row["n"] for row in table.rows.values()] == [1, 0, 4, 5, 0]
    assert table.rows["top 1 %"]["MAE"].value == 3  # 1 (clipped from 0.5) against 4
    assert table.rows["next 40 %"]["signed error"].value == pytest.approx(np.mean([1, 1.5, 2, 2.5]) - 4)


def test_the_share_that_the_most_active_hold_is_of_all_training_users(make_evaluation):
    facts = apply_metric(UserActivity(), make_evaluation(TRAIN, [(9, 20, 4)], [3])).facts
    assert facts == {"held by top 1 %": 10 / 55, "held by top 10 %": 10 / 55}
    twenty = [*TRAIN, *((user + 10, item, 3) for user, item, _ in TRAIN)]
    facts = apply_metric(UserActivity(), make_evaluation(twenty, [(9, 20, 4)], [3])).facts
    assert facts == {"held by top 1 %": 10 / 110, "held by top 10 %": 20 / 110}


def test_users_outside_training_are_a_group_of_their_own_and_move_no_border(make_evaluation):
    test = [(user, 20, 4) for user in [*range(10), 30, 31, 32]]
    rows = apply_metric(UserActivity(), make_evaluation(TRAIN, test, [3] * 13)).rows
    assert [row["n"] for row in rows.values()] == [1, 0, 4, 5, 3]


def test_only_test_users_are_grouped(make_evaluation):
    rows = apply_metric(UserActivity(), make_evaluation(TRAIN, [(8, 20, 4), (9, 20, 4), (9, 21, 4)], [3, 3, 3])).rows
    assert [row["n"] for row in rows.values()] == [1, 0, 0, 2, 0]


def test_equally_active_users_are_split_in_the_order_of_the_user_table(make_evaluation):
    train = [(user, item, 3) for item in range(2) for user in range(4)]
    test = [(user, 5, 4) for user in range(4)]
    for rows in (train, train[::-1]):
        table = apply_metric(UserActivity(), make_evaluation(rows, test[::-1], [1, 2, 3, 4]))
        assert table.rows["top 1 %"]["signed error"].value == 0  # user 0, whose row is the last
        assert [row["n"] for row in table.rows.values()] == [1, 0, 1, 2, 0]


def test_groups_add_up_and_have_the_figure_that_stands_for_them(make_evaluation):
    test = [(user, 20, 4) for user in range(10)]
    table = apply_metric(UserActivity(), make_evaluation(TRAIN, test, [2.0] * 10))
    assert UserActivity.contract.figure in table.rows["cold"]
    assert sum(row["n"] for row in table.rows.values()) == 10
